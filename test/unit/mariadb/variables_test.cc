#include "agents/mariadb/variables.h"

#include <catch2/catch.hpp>

namespace trove::mariadb {
namespace {

Variable Of(const std::string& type, const std::string& minimum = "", const std::string& max = "") {
  return {.type = type, .minimum = minimum, .maximum = max};
}

TEST_CASE("a number is one value however it is written", "[unit][mariadb]") {
  const Variable number = Of("BIGINT UNSIGNED");
  CHECK(IsSameValue(number, "256M", "268435456"));
  CHECK(IsSameValue(number, "1k", "1024"));
  CHECK(IsSameValue(number, "18446744073709551615", "18446744073709551615"));
  CHECK_FALSE(IsSameValue(number, "18446744073709551615", "18446744073709551614"));
  CHECK_FALSE(IsSameValue(number, "256", "256M"));
  CHECK(IsSameValue(Of("DOUBLE"), "0.5", "0.500000"));
}

TEST_CASE("a boolean, a choice and a set are one value however they are written",
          "[unit][mariadb]") {
  CHECK(IsSameValue(Of("BOOLEAN"), "ON", "1"));
  CHECK(IsSameValue(Of("BOOLEAN"), "off", "0"));
  CHECK_FALSE(IsSameValue(Of("BOOLEAN"), "off", "1"));
  CHECK(IsSameValue(Of("ENUM"), "row", "ROW"));
  CHECK(IsSameValue(Of("SET"), "ANSI,STRICT_ALL_TABLES", "strict_all_tables,ansi"));
  CHECK_FALSE(IsSameValue(Of("VARCHAR"), "a", "A"));
}

TEST_CASE("a number out of the server's range is refused", "[unit][mariadb]") {
  const Variable number = Of("BIGINT UNSIGNED", "10", "100000");
  CHECK(CheckValue("max_connections", number, "10").ok());
  CHECK(CheckValue("max_connections", number, "64K").ok());
  for (const char* bad : {"9", "100001", "-1", "many", "", "1x", "nan"}) {
    CAPTURE(bad);
    const absl::Status status = CheckValue("max_connections", number, bad);
    CHECK(absl::IsInvalidArgument(status));
    CHECK(std::string(status.message()).find("max_connections") != std::string::npos);
  }
  CHECK(CheckValue("sql_mode", Of("SET"), "ANSI").ok());
}

}  // namespace
}  // namespace trove::mariadb
