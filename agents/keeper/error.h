#pragma once

#include <cstring>
#include <string>
#include <string_view>

namespace trove::keeper {

/// What went wrong, for people; empty when nothing did. What absl::Status is elsewhere.
using Error = std::string;

/// "open /a/b: Permission denied".
inline Error ErrnoError(int error_number, std::string_view what) {
  return std::string(what) + ": " + std::strerror(error_number);
}

}  // namespace trove::keeper
