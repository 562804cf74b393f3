#include "agents/keeper/backoff.h"

#include <catch2/catch.hpp>

namespace trove::keeper {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

TEST_CASE("restarts are spaced out, and afresh after a stable minute", "[unit][keeper]") {
  RestartBackoff backoff(milliseconds(100), milliseconds(1000), minutes(1));
  for (const int ms : {100, 200, 400, 800, 1000, 1000})
    CHECK(backoff.After(milliseconds(5)).count() == ms);
  CHECK(backoff.After(milliseconds(59'999)).count() == 1000);
  CHECK(backoff.After(minutes(1)).count() == 100);
  CHECK(backoff.After(milliseconds(0)).count() == 200);
  backoff.Reset();
  CHECK(backoff.After(milliseconds(0)).count() == 100);
}

TEST_CASE("a back-off that starts at nothing still grows", "[unit][keeper]") {
  RestartBackoff backoff(milliseconds(0), milliseconds(3), minutes(1));
  for (const int ms : {0, 2, 3, 3})
    CHECK(backoff.After(milliseconds(0)).count() == ms);
}

TEST_CASE("the longest wait bounds the first one too", "[unit][keeper]") {
  RestartBackoff backoff(milliseconds(500), milliseconds(50), minutes(1));
  for (const int ms : {50, 50})
    CHECK(backoff.After(milliseconds(0)).count() == ms);
}

}  // namespace
}  // namespace trove::keeper
