#include "agents/mariadb/accounts.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"

namespace trove::mariadb {
namespace {

// Character sets and collations cannot be quoted, so only their own letters pass.
absl::Status CheckWord(const std::string& what, const std::string& word) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_';
  };
  if (std::all_of(word.begin(), word.end(), allowed)) return absl::OkStatus();
  return absl::InvalidArgumentError(what + " must be letters, digits and '_', not " + word);
}

absl::Status CreateDatabase(Connection& connection, const agent::DatabaseSpec& database) {
  TROVE_ASSIGN_OR_RETURN(const std::string sql, CreateDatabaseSql(database));
  return Annotate(connection.Execute(sql), "create database " + database.name);
}

absl::Status CreateUser(Connection& connection, const agent::UserSpec& user) {
  const std::string account =
      connection.Quoted(user.name) + "@" + connection.Quoted(user.host.empty() ? "%" : user.host);
  const std::string password = connection.Quoted(user.password.Reveal());
  const std::string what = "create user " + user.name;
  TROVE_RETURN_IF_ERROR(Annotate(
      connection.Execute("CREATE USER IF NOT EXISTS " + account + " IDENTIFIED BY " + password),
      what));
  TROVE_RETURN_IF_ERROR(
      Annotate(connection.Execute("ALTER USER " + account + " IDENTIFIED BY " + password), what));
  for (const std::string& database : user.databases) {
    TROVE_RETURN_IF_ERROR(Annotate(connection.Execute("GRANT ALL PRIVILEGES ON " +
                                                      GrantPattern(database) + ".* TO " + account),
                                   "grant " + database + " to " + user.name));
  }
  return absl::OkStatus();
}

}  // namespace

std::string GrantPattern(std::string_view name) {
  std::string pattern;
  for (const char c : name) {
    if (c == '_' || c == '%' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return Identifier(pattern);
}

absl::StatusOr<std::string> CreateDatabaseSql(const agent::DatabaseSpec& database) {
  TROVE_RETURN_IF_ERROR(CheckWord("character_set", database.character_set));
  TROVE_RETURN_IF_ERROR(CheckWord("collation", database.collation));
  std::string sql = "CREATE DATABASE IF NOT EXISTS " + Identifier(database.name);
  if (!database.character_set.empty()) sql += " CHARACTER SET " + database.character_set;
  if (!database.collation.empty()) sql += " COLLATE " + database.collation;
  return sql;
}

absl::Status SecureAccounts(Connection& connection, const Secret& admin_password) {
  const std::string password = connection.Quoted(admin_password.Reveal());
  const std::string admin = connection.Quoted(kAdminUser) + "@'localhost'";
  const std::string statements[] = {
      "CREATE USER IF NOT EXISTS " + admin + " IDENTIFIED BY " + password,
      "ALTER USER " + admin + " IDENTIFIED BY " + password,
      "GRANT ALL PRIVILEGES ON *.* TO " + admin + " WITH GRANT OPTION",
      "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost') OR "
      "(User = 'mysql' AND Host = 'localhost')",
      "DROP DATABASE IF EXISTS test",
      "DELETE FROM mysql.db WHERE Db = 'test' OR Db = 'test\\\\_%'",
      "FLUSH PRIVILEGES",
      // Nobody knows it: root comes back only when a tenant asks for it.
      "ALTER USER IF EXISTS 'root'@'localhost' IDENTIFIED BY " +
          connection.Quoted(RandomAlphanumeric(48)),
  };
  for (const std::string& statement : statements) {
    TROVE_RETURN_IF_ERROR(Annotate(connection.Execute(statement), "secure the accounts"));
  }
  return absl::OkStatus();
}

absl::Status CreateContent(Connection& connection,
                           const std::vector<agent::DatabaseSpec>& databases,
                           const std::vector<agent::UserSpec>& users) {
  for (const agent::DatabaseSpec& database : databases) {
    TROVE_RETURN_IF_ERROR(CreateDatabase(connection, database));
  }
  for (const agent::UserSpec& user : users)
    TROVE_RETURN_IF_ERROR(CreateUser(connection, user));
  return absl::OkStatus();
}

}  // namespace trove::mariadb
