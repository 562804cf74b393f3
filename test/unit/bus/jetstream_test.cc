#include "libtrove/bus/jetstream.h"

#include <string>

#include <absl/status/status.h>
#include <catch2/catch.hpp>

namespace trove {
namespace {

TEST_CASE("the event stream keeps events for a week in files", "[unit][bus]") {
  const std::string config = EventStreamConfig(3);
  for (const char* part : {R"("name":"trove_events")",
                           R"("subjects":["trove.v1.event.>"])",
                           R"("storage":"file")",
                           R"("max_age":604800000000000)",
                           R"("duplicate_window":120000000000)",
                           R"("num_replicas":3)"}) {
    CAPTURE(part);
    CHECK(config.find(part) != std::string::npos);
  }
}

TEST_CASE("what JetStream answers is told apart", "[unit][bus]") {
  const auto [answer, want] = GENERATE(table<std::string, absl::StatusCode>({
      {R"({"stream":"trove_events","seq":1})", absl::StatusCode::kOk},
      {R"({"stream":"trove_events","seq":1,"duplicate":true})", absl::StatusCode::kOk},
      {R"({"type":"x","config":{"name":"trove_events"},"did_create":true})", absl::StatusCode::kOk},
      {R"({"error":{"code":503,"err_code":10008,"description":"not now"}})",
       absl::StatusCode::kUnavailable},
      {R"({"error":{"code":400,"err_code":10058,"description":"name in use"}})",
       absl::StatusCode::kAlreadyExists},
      {R"({"error":{"code":500,"err_code":10047,"description":"no space"},"stream":"s","seq":0})",
       absl::StatusCode::kInternal},
      {R"({"error":{}})", absl::StatusCode::kInternal},
      {R"({"error":"text"})", absl::StatusCode::kInternal},
      {R"({})", absl::StatusCode::kInternal},
      {R"([])", absl::StatusCode::kInternal},
      {"", absl::StatusCode::kInternal},
      {"hello", absl::StatusCode::kInternal},
  }));
  CAPTURE(answer);
  CHECK(ReadJetStreamAnswer(answer).code() == want);
}

}  // namespace
}  // namespace trove
