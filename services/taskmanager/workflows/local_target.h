#pragma once

#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "services/taskmanager/step_context.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {

/// What the operation acts on. Errors: as Store::LoadTarget; kUnavailable: its guest lives on a
/// host that another task manager drives, and nothing may be said of it here.
absl::StatusOr<OperationTarget> LocalTarget(const WorkflowParts& parts, StepContext& context);

}  // namespace trove::taskmanager
