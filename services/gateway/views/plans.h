#pragma once

#include "trove/rest/v1/operation.pb.h"
#include "trove/v1/operation.pb.h"

namespace trove::gateway {

/// What a request would have begun.
rest::v1::ShowPlanResponse PlanView(const v1::OperationPlan& plan);

}  // namespace trove::gateway
