#pragma once

#include <cstddef>
#include <string_view>

#include <absl/status/statusor.h>
#include <boost/json/object.hpp>

namespace trove::gateway {

/// The most bytes of a request's body.
inline constexpr std::size_t kMaxBodyBytes = 1024 * 1024;

/// The most objects and lists inside each other in a request's body.
inline constexpr int kMaxBodyDepth = 32;

/// Reads a request's body: one JSON object. Size, depth and encoding are decided before anything is
/// built from it.
/// Errors (all with a Reason): kBodyTooLarge; kInvalidBody: too deep, not UTF-8, not JSON (says
/// where), a key twice in one object, or something else than an object.
absl::StatusOr<boost::json::object> ParseBody(std::string_view text);

}  // namespace trove::gateway
