#include <string>

#include <catch2/catch.hpp>

#include "oddities.pb.h"

#include "services/gateway/codec/decode.h"
#include "services/gateway/codec/encode.h"
#include "services/gateway/codec/json_body.h"
#include "services/gateway/codec/plan.h"

namespace trove::gateway {
namespace {

const Plans& JsonPlans() {
  static const Plans* const kPlans = [] {
    auto* made = new Plans;
    REQUIRE(made->Add(oddities::OddJson::descriptor()).ok());
    return made;
  }();
  return *kPlans;
}

std::string Encode(const oddities::OddJson& odd) {
  std::string out;
  EncodeDocument(JsonPlans(), odd, {}, &out);
  return out;
}

absl::Status Decode(const std::string& text, oddities::OddJson* odd) {
  const auto body = ParseBody(text);
  if (!body.ok()) return body.status();
  Presence presence;
  return DecodeBody(JsonPlans(), *body, odd, &presence);
}

}  // namespace

TEST_CASE("values that are JSON themselves are read and written as they are", "[unit][gateway]") {
  oddities::OddJson odd;
  const auto [json, want] = GENERATE(table<std::string, std::string>({
      {"300", "300"},
      {"-7", "-7"},
      {"18446744073709551615", "18446744073709551615"},
      {"2.0", "2.0"},  // no integer
      {"2.5", "2.5"},
      {"1e3", "1000.0"},
      {"1e300", "1e+300"},
      {"true", "true"},
      {"null", "null"},
      {R"("a \"b\" é")", R"("a \"b\" é")"},
      {R"([1, {"a": null}])", R"([1,{"a":null}])"},
  }));
  CAPTURE(json);
  REQUIRE(Decode(R"({"values": {"b": )" + json + R"(, "a": 1}, "data": )" + json +
                     R"(, "list": [)" + json + "]}",
                 &odd)
              .ok());
  CHECK(odd.values().at("b") == want);
  CHECK(odd.values().at("a") == "1");
  CHECK(odd.data() == want);
  CHECK(odd.list(0) == want);
  CHECK(Encode(odd) ==
        R"({"values":{"a":1,"b":)" + want + R"(},"data":)" + want + R"(,"list":[)" + want + "]}");
}

TEST_CASE("an object of values is nothing else", "[unit][gateway]") {
  oddities::OddJson odd;
  for (const std::string json : {"[]", "7", "\"x\"", "null"}) {
    CAPTURE(json);
    CHECK(absl::IsInvalidArgument(Decode(R"({"values": )" + json + "}", &odd)));
  }
}

TEST_CASE("what should be JSON and is not cannot break a document", "[unit][gateway]") {
  oddities::OddJson odd;
  CHECK(Encode(odd) == R"({"values":{},"data":null})");
  odd.set_data(R"({"a": 1}, "b": 2)");
  (*odd.mutable_values())["x"] = "}";
  CHECK(Encode(odd) == R"({"values":{"x":"}"},"data":"{\"a\": 1}, \"b\": 2"})");
}

TEST_CASE("an instant has microseconds and a zone", "[unit][gateway]") {
  const auto [nanos, want] = GENERATE(table<int, std::string>({
      {0, "000000"},
      {999, "000000"},
      {1'000, "000001"},
      {123'456'789, "123456"},
      {999'999'999, "999999"},
  }));
  oddities::OddJson odd;
  odd.mutable_at()->set_seconds(1767603600);
  odd.mutable_at()->set_nanos(nanos);
  CHECK(Encode(odd) == R"({"values":{},"data":null,"at":"2026-01-05T09:00:00.)" + want + "Z\"}");
}

}  // namespace trove::gateway
