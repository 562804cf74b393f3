#include "tools/trovectl/commands/assignment.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "libtrove/model/errors.h"

namespace trove::trovectl {

absl::StatusOr<std::pair<std::string, std::string>> ParseAssignment(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return FieldError("--values", "must be NAME=VALUE, not " + text);
  std::string value = text.substr(equals + 1);
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse(value, error);
  const bool is_json = !error && (parsed.is_number() || parsed.is_bool() || parsed.is_string());
  if (!is_json) value = boost::json::serialize(boost::json::string_view(value));
  return std::pair(text.substr(0, equals), std::move(value));
}

}  // namespace trove::trovectl
