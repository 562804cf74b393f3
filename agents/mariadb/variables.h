#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "agents/mariadb/connection.h"

namespace trove::mariadb {

/// What a running server says of one of its system variables.
struct Variable {
  bool read_only = false;  ///< set only by starting anew
  std::string type;        ///< `BIGINT UNSIGNED`, `BOOLEAN`, `ENUM`, …
  std::string value;       ///< the global one
  std::string minimum;     ///< of a number; empty: none
  std::string maximum;     ///< of a number; empty: none
  std::string block;       ///< a number is rounded to multiples of it; empty: it is not
};

/// By name, as in `my.cnf`. What the server does not know as a variable is missing.
absl::StatusOr<std::map<std::string, Variable>> DescribeVariables(
    Connection& connection, const std::set<std::string>& names);

/// Whether a variable can have this value, as far as the server says: kInvalidArgument otherwise,
/// where it would silently take another one.
absl::Status CheckValue(const std::string& name,
                        const Variable& variable,
                        const std::string& value);

/// Whether two texts are one value of a variable: `256M` and `268435456`, `ON` and `1`.
bool IsSameValue(const Variable& variable, const std::string& a, const std::string& b);

/// New values of variables; nothing: the server's own default.
using Changes = std::map<std::string, std::optional<std::string>>;

/// Sets variables in the running server and reads each one back: all of them, or none.
/// Errors: kInvalidArgument: the server does not take a value, in its words; kUnavailable: the
/// connection was lost, perhaps in the middle.
absl::Status SetVariables(Connection& connection,
                          const std::map<std::string, Variable>& variables,
                          const Changes& changes);

/// Gives the variables that `changes` names the values back that they had when they were described.
void RestoreVariables(Connection& connection,
                      const std::map<std::string, Variable>& variables,
                      const Changes& changes);

}  // namespace trove::mariadb
