#include "libtrove/agent/server_settings.h"

#include <catch2/catch.hpp>

namespace trove::agent {
namespace {

TEST_CASE("a parameter's value is a text, a number as it is written, or a boolean",
          "[unit][agent]") {
  const auto [json, text] = GENERATE(table<std::string, std::string>({
      {"\"ROW\"", "ROW"},
      {"\"a \\\"b\\\" \\u00e9\"", "a \"b\" \xc3\xa9"},
      {"\"\"", ""},
      {"17", "17"},
      {"-0.25", "-0.25"},
      {"18446744073709551615", "18446744073709551615"},
      {"true", "true"},
  }));
  CAPTURE(json);
  CHECK(ParameterText(json).value_or("error") == text);
}

TEST_CASE("what is no single value is refused", "[unit][agent]") {
  const std::string json = GENERATE(values<std::string>({"", "null", "[]", "{}", "ROW", "\"a"}));
  CAPTURE(json);
  CHECK(absl::IsInvalidArgument(ParameterText(json).status()));
}

TEST_CASE("versions compare as numbers, by the parts that both have", "[unit][agent]") {
  CHECK((CompareVersions("10.11", "10.6") > 0));
  CHECK((CompareVersions("9", "10.6") < 0));
  CHECK((CompareVersions("10.11.6", "10.11") == 0));
  CHECK((CompareVersions("10.11.6", "10.11.14") < 0));
  CHECK((CompareVersions("11", "10.11.14") > 0));
}

TEST_CASE("settings are the same after their journey", "[unit][agent]") {
  const ServerSettings settings{.memory_mib = 1,
                                .vcpus = 2,
                                .address = "::1",
                                .port = 3,
                                .engine = "/e",
                                .version_number = "4",
                                .volume_size_gib = 5,
                                .parameters = {{"a", "1"}, {"b", "\"x\""}}};
  CHECK(FromMessage(ToMessage(settings)) == settings);
}

}  // namespace
}  // namespace trove::agent
