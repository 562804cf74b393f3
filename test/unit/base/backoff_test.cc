#include "libtrove/base/backoff.h"

#include <limits>

#include <catch2/catch.hpp>

namespace trove {
namespace {

TEST_CASE("a wait doubles up to its limit and lies in the upper half", "[unit][base]") {
  const BackoffPolicy policy{.first = absl::Milliseconds(100), .most = absl::Seconds(1)};
  const auto [attempt, whole_ms] = GENERATE(table<int, int>({
      {-1, 100},
      {0, 100},
      {1, 200},
      {2, 400},
      {3, 800},
      {4, 1000},
      {5, 1000},
      {63, 1000},
      {std::numeric_limits<int>::max(), 1000},
  }));
  CAPTURE(attempt);
  const absl::Duration whole = absl::Milliseconds(whole_ms);
  for (int i = 0; i < 200; ++i) {
    const absl::Duration wait = BackoffDelay(policy, attempt);
    CHECK(wait >= whole / 2);
    CHECK(wait <= whole);
  }
}

TEST_CASE("two waits of the same attempt differ", "[unit][base]") {
  const BackoffPolicy policy;
  const absl::Duration first = BackoffDelay(policy, 5);
  bool differs = false;
  for (int i = 0; i < 20 && !differs; ++i)
    differs = BackoffDelay(policy, 5) != first;
  CHECK(differs);
}

TEST_CASE("a policy without a wait waits for nothing", "[unit][base]") {
  const BackoffPolicy policy{.first = absl::ZeroDuration(), .most = absl::Seconds(1)};
  CHECK(BackoffDelay(policy, std::numeric_limits<int>::max()) == absl::ZeroDuration());
}

TEST_CASE("a first wait above the limit is cut to it", "[unit][base]") {
  const BackoffPolicy policy{.first = absl::Seconds(9), .most = absl::Seconds(1)};
  CHECK(BackoffDelay(policy, 0) <= absl::Seconds(1));
}

}  // namespace
}  // namespace trove
