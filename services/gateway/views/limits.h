#pragma once

#include <absl/status/statusor.h>

#include "trove/rest/v1/limits.pb.h"
#include "trove/v1/limits.pb.h"

#include "services/gateway/asked.h"

namespace trove::gateway {

absl::StatusOr<v1::GetLimitsRequest> ToGetLimits(const rest::v1::ListLimitsRequest& document,
                                                 const Asked& asked);

/// The absolute row; a resource without a quota is unlimited.
rest::v1::ListLimitsResponse LimitsView(const v1::Limits& limits, const Asked& asked);

}  // namespace trove::gateway
