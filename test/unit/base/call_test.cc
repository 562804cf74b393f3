#include "libtrove/base/call.h"

#include <catch2/catch.hpp>

namespace trove {
namespace {

TEST_CASE("a call says why there is no point in starting", "[unit][base]") {
  std::stop_source source;
  SECTION("in time and wanted: go on") {
    CHECK(CallFor(absl::Minutes(1), source.get_token()).Check().ok());
  }
  SECTION("the caller has gone") {
    source.request_stop();
    CHECK(absl::IsCancelled(CallFor(absl::Minutes(1), source.get_token()).Check()));
  }
  SECTION("too late") {
    CHECK(absl::IsDeadlineExceeded(CallFor(-absl::Seconds(1), source.get_token()).Check()));
  }
  SECTION("gone and too late: nobody waits for the answer") {
    source.request_stop();
    CHECK(absl::IsCancelled(CallFor(-absl::Seconds(1), source.get_token()).Check()));
  }
}

TEST_CASE("the time left is never negative", "[unit][base]") {
  CHECK(CallFor(-absl::Seconds(5)).Remaining() == absl::ZeroDuration());
  const absl::Duration left = CallFor(absl::Minutes(1)).Remaining();
  CHECK(left > absl::Seconds(50));
  CHECK(left <= absl::Minutes(1));
}

TEST_CASE("a call within a limit ends at the earlier of the two", "[unit][base]") {
  std::stop_source source;
  const Call call = CallFor(absl::Minutes(1), source.get_token(), "req-1");
  CHECK(call.Within(absl::Hours(1)).deadline == call.deadline);
  const Call sooner = call.Within(absl::Seconds(1));
  CHECK(sooner.deadline < call.deadline);
  CHECK(sooner.request_id == "req-1");
  source.request_stop();
  CHECK(absl::IsCancelled(sooner.Check()));
}

}  // namespace
}  // namespace trove
