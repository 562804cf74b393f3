#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "trove/rest/v1/binding.pb.h"

namespace trove::gateway {

/// What is wrong with `text` by `rule`, as the end of a sentence that begins with the text itself
/// ("is too short"); nothing when it is right.
std::optional<std::string> BreaksRule(rest::v1::Text rule, std::string_view text);

/// The part of a URL's path after its last slash; a bare id is its own.
std::string_view IdOfHref(std::string_view href);

}  // namespace trove::gateway
