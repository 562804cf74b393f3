#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "agents/mariadb/connection.h"
#include "libtrove/agent/datastore.h"
#include "libtrove/base/secret.h"

namespace trove::mariadb {

/// The agent's own account: all privileges, over the private socket alone.
inline constexpr char kAdminUser[] = "os_admin";

/// Makes a fresh server safe: the agent's account with `admin_password` is made, root loses every
/// way in, anonymous accounts and the test database go. May be repeated. `connection` is root's or
/// the agent's.
absl::Status SecureAccounts(Connection& connection, const Secret& admin_password);

/// The statements, one a line, that give the agent's account in a server of an earlier life a new
/// password. The password is in them as a hash. Every other account stays as it is.
std::string AdoptionStatements(const Secret& admin_password);

/// Makes databases and users that are missing; a user that is there gets the password anew.
/// Errors: kInvalidArgument: a character set or collation that the server does not know.
absl::Status CreateContent(Connection& connection,
                           const std::vector<agent::DatabaseSpec>& databases,
                           const std::vector<agent::UserSpec>& users);

/// A database's name as GRANT takes it, where `_` and `%` would stand for other characters:
/// `` `my\_shop` ``.
std::string GrantPattern(std::string_view name);

/// Makes a database that is missing. Errors: kInvalidArgument: a character set or collation that is
/// not one word.
absl::StatusOr<std::string> CreateDatabaseSql(const agent::DatabaseSpec& database);

}  // namespace trove::mariadb
