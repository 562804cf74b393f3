#include "agents/mariadb/variables.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::mariadb {
namespace {

// Wide enough for every integer of 64 bits.
using Number = long double;

bool IsNumeric(const Variable& variable) {
  return variable.type.find("INT") != std::string::npos || variable.type == "DOUBLE";
}

// `16`, `-1`, `2.5`, `256M`.
std::optional<Number> NumberOf(const std::string& text) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text.front())) != 0)
    return std::nullopt;
  char* end = nullptr;
  Number number = std::strtold(text.c_str(), &end);
  const std::size_t used = static_cast<std::size_t>(end - text.c_str());
  if (used == 0 || !std::isfinite(number)) return std::nullopt;
  if (used == text.size()) return number;
  const std::size_t power = std::string("KMGTPE").find(
      static_cast<char>(std::toupper(static_cast<unsigned char>(text[used]))));
  if (power == std::string::npos || used + 1 != text.size()) return std::nullopt;
  return number * std::pow(Number{1024}, static_cast<Number>(power + 1));
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

// One spelling of what is the same: booleans as 0 and 1, sets in order.
std::string Spelled(const std::string& text) {
  const std::string lower = Lower(text);
  if (lower == "on" || lower == "true" || lower == "yes") return "1,";
  if (lower == "off" || lower == "false" || lower == "no") return "0,";
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t comma = 0; comma != std::string::npos; from = comma + 1) {
    comma = lower.find(',', from);
    parts.push_back(lower.substr(from, comma - from));
  }
  std::sort(parts.begin(), parts.end());
  std::string sorted;
  for (const std::string& part : parts)
    sorted += part + ",";
  return sorted;
}

std::string Digits(Number number) {
  char text[64];
  const auto whole = static_cast<std::int64_t>(number);
  if (number >= 0 && number == std::floor(number)) {
    const auto end = std::to_chars(text, text + sizeof(text), static_cast<std::uint64_t>(number));
    return std::string(text, end.ptr);
  }
  if (number == static_cast<Number>(whole)) return std::to_string(whole);
  return std::to_string(static_cast<double>(number));
}

// As SQL takes it.
std::string Literal(Connection& connection, const Variable& variable, const std::string& value) {
  const std::optional<Number> number = NumberOf(value);
  if (number && IsNumeric(variable)) return Digits(*number);
  const bool digits =
      !value.empty() &&
      std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  // The place in a list, or a bit.
  if (digits && variable.type != "VARCHAR") return value;
  return connection.Quoted(value);
}

absl::Status SetOne(Connection& connection,
                    const std::string& name,
                    const Variable& variable,
                    const std::optional<std::string>& value) {
  const std::string literal = value ? Literal(connection, variable, *value) : "DEFAULT";
  const absl::Status set = connection.Execute("SET GLOBAL " + Identifier(name) + " = " + literal);
  if (set.ok() || absl::IsUnavailable(set) || absl::IsCancelled(set)) return set;
  return absl::InvalidArgumentError("parameter " + name + ": " + MessageOf(set));
}

// What was asked for, but for rounding.
bool TookEffect(const std::string& name,
                const Variable& variable,
                const std::string& asked,
                const std::string& got) {
  if (IsSameValue(variable, asked, got)) return true;
  const std::optional<Number> want = NumberOf(asked);
  const std::optional<Number> have = NumberOf(got);
  if (IsNumeric(variable) && want && have) {
    // In whole chunks, whose size the server chooses.
    if (name == "innodb_buffer_pool_size") return *have >= *want;
    return std::abs(*want - *have) < NumberOf(variable.block).value_or(1);
  }
  // Names of one thing may differ, but something must have happened.
  return !IsSameValue(variable, variable.value, got);
}

}  // namespace

bool IsSameValue(const Variable& variable, const std::string& a, const std::string& b) {
  if (a == b) return true;
  if (IsNumeric(variable)) {
    const std::optional<Number> left = NumberOf(a);
    const std::optional<Number> right = NumberOf(b);
    if (left && right) return std::abs(*left - *right) < 1e-6L;
  }
  return variable.type != "VARCHAR" && Spelled(a) == Spelled(b);
}

absl::StatusOr<std::map<std::string, Variable>> DescribeVariables(
    Connection& connection, const std::set<std::string>& names) {
  std::string list;
  for (const std::string& name : names)
    list += (list.empty() ? "" : ", ") + connection.Quoted(name);
  std::map<std::string, Variable> variables;
  if (list.empty()) return variables;
  TROVE_ASSIGN_OR_RETURN(
      const auto rows,
      connection.Query("SELECT LOWER(VARIABLE_NAME), READ_ONLY, VARIABLE_TYPE, GLOBAL_VALUE, "
                       "NUMERIC_MIN_VALUE, NUMERIC_MAX_VALUE, NUMERIC_BLOCK_SIZE "
                       "FROM information_schema.SYSTEM_VARIABLES "
                       "WHERE VARIABLE_SCOPE <> 'SESSION ONLY' AND VARIABLE_NAME IN (" +
                       list + ")"));
  for (const std::vector<std::string>& row : rows) {
    variables[row[0]] = {.read_only = row[1] == "YES",
                         .type = row[2],
                         .value = row[3],
                         .minimum = row[4],
                         .maximum = row[5],
                         .block = row[6]};
  }
  return variables;
}

absl::Status CheckValue(const std::string& name,
                        const Variable& variable,
                        const std::string& value) {
  if (!IsNumeric(variable)) return absl::OkStatus();
  const std::optional<Number> number = NumberOf(value);
  if (!number)
    return absl::InvalidArgumentError("parameter " + name + " must be a number, not " + value);
  const std::optional<Number> minimum = NumberOf(variable.minimum);
  const std::optional<Number> maximum = NumberOf(variable.maximum);
  if ((!minimum || *number >= *minimum) && (!maximum || *number <= *maximum))
    return absl::OkStatus();
  return absl::InvalidArgumentError("parameter " + name + " must be " + variable.minimum + " to " +
                                    variable.maximum + ", not " + value);
}

absl::Status SetVariables(Connection& connection,
                          const std::map<std::string, Variable>& variables,
                          const Changes& changes) {
  Changes left = changes;
  absl::Status failed;
  // One may have to be set before another can be: as long as any can, go on.
  for (bool progress = true; progress && !left.empty();) {
    progress = false;
    failed = absl::OkStatus();
    for (auto at = left.begin(); at != left.end();) {
      const Variable& variable = variables.at(at->first);
      absl::Status set = SetOne(connection, at->first, variable, at->second);
      if (set.ok()) {
        const auto now = DescribeVariables(connection, {at->first});
        TROVE_RETURN_IF_ERROR(now.status());
        const auto found = now->find(at->first);
        const std::string got = found == now->end() ? "" : found->second.value;
        if (at->second && !TookEffect(at->first, variable, *at->second, got)) {
          set = absl::InvalidArgumentError("parameter " + at->first + ": the server made " + got +
                                           " of " + *at->second);
        }
      }
      if (absl::IsUnavailable(set) || absl::IsCancelled(set)) return set;
      if (!set.ok()) {
        if (failed.ok()) failed = set;
        ++at;
        continue;
      }
      progress = true;
      at = left.erase(at);
    }
  }
  if (left.empty()) return absl::OkStatus();
  RestoreVariables(connection, variables, changes);
  return failed;
}

void RestoreVariables(Connection& connection,
                      const std::map<std::string, Variable>& variables,
                      const Changes& changes) {
  for (const auto& [name, value] : changes) {
    const Variable& variable = variables.at(name);
    SetOne(connection, name, variable, variable.value).IgnoreError();  // it was not changed then
  }
}

}  // namespace trove::mariadb
