#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "services/gateway/codec/decode.h"

namespace trove::gateway {

/// A request's target, taken apart.
struct Target {
  std::string path;                   ///< as it came, without query
  std::vector<std::string> segments;  ///< percent-decoded; one trailing slash makes none of its own
  Parameters query;                   ///< percent-decoded, in order
};

/// Takes apart "/path?query" or "http://host/path?query".
/// Errors: kInvalidField: not a target, or a malformed percent escape.
absl::StatusOr<Target> ParseTarget(std::string_view target);

/// `text` with everything but letters, digits and -._~ as percent escapes.
std::string PercentEncode(std::string_view text);

}  // namespace trove::gateway
