#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "trove/rest/v1/binding.pb.h"

namespace trove::gateway {

/// What is wrong with `text` by `rule`, as the end of a sentence that begins with the text itself
/// ("is too short"); nothing when it is right.
std::optional<std::string> BreaksRule(rest::v1::Text rule, std::string_view text);

/// `text` in single quotes for a message: cut at the beginning of a character when it has more than
/// `most` bytes, and with `?` for the bytes of what is not UTF-8.
std::string Quote(std::string_view text, std::size_t most = 64);

/// `text` when it is UTF-8; else with `?` for every byte that is not ASCII.
std::string AsUtf8(std::string_view text);

/// The part of a URL's path after its last slash; a bare id is its own.
std::string_view IdOfHref(std::string_view href);

}  // namespace trove::gateway
