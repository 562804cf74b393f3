#include "agents/mariadb/accounts.h"

#include <catch2/catch.hpp>

namespace trove::mariadb {
namespace {

TEST_CASE("an identifier cannot end its quotes", "[unit][mariadb]") {
  const auto [name, want] = GENERATE(table<std::string, std::string>({
      {"shop", "`shop`"},
      {"my shop", "`my shop`"},
      {"a`b", "`a``b`"},
      {"`", "````"},
      {"", "``"},
      {"'; DROP DATABASE mysql; --", "`'; DROP DATABASE mysql; --`"},
  }));
  CHECK(Identifier(name) == want);
}

TEST_CASE("a grant on one database is on no other", "[unit][mariadb]") {
  const auto [name, want] = GENERATE(table<std::string, std::string>({
      {"shop", "`shop`"},
      {"my_shop", "`my\\_shop`"},
      {"100%", "`100\\%`"},
      {"a\\b", "`a\\\\b`"},
      {"a`_", "`a``\\_`"},
  }));
  CHECK(GrantPattern(name) == want);
}

TEST_CASE("a database is made with words for its character set and collation only",
          "[unit][mariadb]") {
  const auto [charset, collation, want] = GENERATE(table<std::string, std::string, std::string>({
      {"", "", "CREATE DATABASE IF NOT EXISTS `shop`"},
      {"utf8mb4", "", "CREATE DATABASE IF NOT EXISTS `shop` CHARACTER SET utf8mb4"},
      {"", "utf8mb4_bin", "CREATE DATABASE IF NOT EXISTS `shop` COLLATE utf8mb4_bin"},
      {"latin1",
       "latin1_bin",
       "CREATE DATABASE IF NOT EXISTS `shop` CHARACTER SET latin1 COLLATE latin1_bin"},
      {"utf8; DROP", "", ""},
      {"", "x'y", ""},
  }));
  const auto sql = CreateDatabaseSql({"shop", charset, collation});
  CHECK(sql.value_or("") == want);
  if (want.empty()) CHECK(absl::IsInvalidArgument(sql.status()));
}

}  // namespace
}  // namespace trove::mariadb
