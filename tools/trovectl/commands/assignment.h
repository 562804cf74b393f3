#pragma once

#include <string>
#include <utility>

#include <absl/status/statusor.h>

namespace trove::trovectl {

/// `name=value` as a parameter and the JSON text of its value: a number, true, false and what is in
/// quotes as they are, all else as a text. Errors: kInvalidArgument: another form.
absl::StatusOr<std::pair<std::string, std::string>> ParseAssignment(const std::string& text);

}  // namespace trove::trovectl
