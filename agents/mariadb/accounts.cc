#include "agents/mariadb/accounts.h"

#include <algorithm>
#include <cctype>
#include <string>

#include <openssl/sha.h>

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

// As the server keeps passwords: `*` and the SHA-1 of the SHA-1, in hexadecimal.
std::string PasswordHash(const Secret& password) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  const std::string& text = password.Reveal();
  ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  ::SHA1(digest, sizeof(digest), digest);
  std::string hash = "*";
  for (const unsigned char byte : digest) {
    constexpr char kHex[] = "0123456789ABCDEF";
    hash += kHex[byte >> 4];
    hash += kHex[byte & 15];
  }
  return hash;
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

std::string AdoptionStatements(const Secret& admin_password) {
  const std::string account = "'" + std::string(kAdminUser) + "'@'localhost'";
  const std::string password = " IDENTIFIED BY PASSWORD '" + PasswordHash(admin_password) + "'";
  std::string statements = "CREATE USER IF NOT EXISTS ";
  statements += account + password + ";\nALTER USER " + account + password;
  statements += ";\nGRANT ALL PRIVILEGES ON *.* TO " + account + " WITH GRANT OPTION;\n";
  return statements;
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
