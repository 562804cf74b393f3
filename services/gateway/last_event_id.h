#pragma once

#include <cstdint>
#include <optional>

#include <absl/status/statusor.h>

#include "services/gateway/asked.h"

namespace trove::gateway {

/// What a client that watches again says it has seen; nothing: it does not say. Errors:
/// kInvalidField: no number of ours.
absl::StatusOr<std::optional<std::int64_t>> LastEventId(const Asked& asked);

}  // namespace trove::gateway
