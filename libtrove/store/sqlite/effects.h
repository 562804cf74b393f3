#pragma once

#include <vector>

#include <absl/status/status.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// Whose step it is.
struct EffectScope {
  const ProjectId& project_id;
  const InstanceId& instance_id;
  const OperationId& operation_id;
};

/// Applies what a step changes besides its operation, in order, and writes one event for the
/// instance when it looks different afterwards.
absl::Status ApplyEffects(Transaction& tx,
                          const EffectScope& scope,
                          const std::vector<Effect>& effects);

}  // namespace trove::sqlite
