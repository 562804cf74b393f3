#include "agents/keeper/proc.h"

#include <unistd.h>

#include <optional>
#include <string>

#include <catch2/catch.hpp>

namespace trove::keeper {
namespace {

const std::string kRest =
    " 4194560 116 0 0 0 0 0 0 0 20 0 1 0 285414 6025216 384 18446744073709551615 0 0\n";

TEST_CASE("a stat file of proc is read whatever the program is called", "[unit][keeper]") {
  const auto [text, want] = GENERATE(table<std::string, std::optional<ProcStat>>({
      {"15144 (sleep) S 15143 15144 15144 0 -1" + kRest, ProcStat{'S', 15143, 285414}},
      {"15144 (a) S 1 (b) Z 15143 15144 15144 0 -1" + kRest, ProcStat{'Z', 15143, 285414}},
      {"15144 (a\nb) R 0 15144 15144 0 -1" + kRest, ProcStat{'R', 0, 285414}},
      {"", std::nullopt},
      {"15144 (sleep)", std::nullopt},
      {"15144 (sleep) S 15143 15144", std::nullopt},
      {"15144 (sleep) S parent 15144 15144 0 -1" + kRest, std::nullopt},
  }));
  CAPTURE(text);
  CHECK(ParseProcStat(text) == want);
}

TEST_CASE("this process is found in proc", "[unit][keeper]") {
  const std::optional<ProcStat> stat = ReadProcStat(::getpid());
  REQUIRE(stat);
  CHECK(stat->parent == ::getppid());
  CHECK(AgeOf(stat->start_ticks) >= BootTime(-10'000'000));  // ticks are 10 ms
  CHECK(AgeOf(stat->start_ticks) < std::chrono::hours(1));
  CHECK_FALSE(ReadProcStat(0));
  CHECK(ReadBootId().size() == 36);
}

}  // namespace
}  // namespace trove::keeper
