#include "agents/mariadb/upgrade.h"

#include <catch2/catch.hpp>

namespace trove::mariadb {
namespace {

TEST_CASE("a server goes to a newer version, and not past a major one", "[unit][mariadb]") {
  const auto [from, to, possible] = GENERATE(table<std::string, std::string, bool>({
      {"10.11", "10.11", true},
      {"10.11.6", "10.11", true},
      {"10.6", "10.11", true},
      {"10.11", "11.4", true},
      {"10.11", "11", true},
      {"10.11", "10.6", false},
      {"11.4", "10.11", false},
      {"10.11.6", "10.11.5", false},
      {"10.11", "12.0", false},
  }));
  CAPTURE(from, to);
  CHECK(CheckVersions(from, to).ok() == possible);
  if (!possible) CHECK(absl::IsInvalidArgument(CheckVersions(from, to)));
}

}  // namespace
}  // namespace trove::mariadb
