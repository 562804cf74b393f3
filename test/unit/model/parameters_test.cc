#include <string>

#include <catch2/catch.hpp>

#include "trove/v1/error.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/manifest.h"

namespace trove {
namespace {

using Type = ParameterRule::Type;

Manifest Server() {
  Manifest manifest;
  manifest.datastore.name = "mariadb";
  const auto add = [&](ParameterRule rule) {
    manifest.parameters.push_back(std::move(rule));
  };
  add({.name = "eager", .type = Type::kBoolean});
  add({.name = "format", .choices = {"ROW", "MIXED"}});
  add({.name = "greeting"});
  add({.name = "max_connections", .type = Type::kInteger, .minimum = 10, .maximum = 100'000});
  add({.name = "mode", .choices = {"ANSI", "STRICT"}, .several = true});
  add({.name = "pool", .type = Type::kInteger, .minimum = 0, .maximum = 18446744073709551615.0});
  add({.name = "slow_time", .type = Type::kFloat, .minimum = 0.5});
  return manifest;
}

v1::ErrorDetail DetailOf(const absl::Status& status) {
  v1::ErrorDetail detail;
  detail.ParseFromString(std::string(status.GetPayload(kErrorDetailUrl).value()));
  return detail;
}

TEST_CASE("values that fit are taken", "[unit][model]") {
  const auto [name, json] = GENERATE(table<const char*, const char*>({
      {"eager", "true"},
      {"eager", "0"},
      {"eager", "1"},
      {"format", "\"row\""},
      {"greeting", "\"SET NAMES utf8mb4 -- \\\"hello\\\"\""},
      {"greeting", "\"\""},
      {"max_connections", "10"},
      {"MAX_Connections", "100000"},
      {"mode", "\"ansi,STRICT\""},
      {"mode", "\"\""},
      {"pool", "18446744073709551615"},
      {"slow_time", "0.5"},
      {"slow_time", "2"},
  }));
  CAPTURE(name, json);
  CHECK(CheckParameters(Server(), {{name, json}}).ok());
}

TEST_CASE("values that do not fit are refused with what would be right", "[unit][model]") {
  const auto [name, json, said] = GENERATE(table<const char*, const char*, const char*>({
      {"eager", "2", "true or false, not 2"},
      {"eager", "\"ON\"", "true or false, not \"ON\""},
      {"format", "\"STATEMENT\"", "one of these: ROW, MIXED"},
      {"format", "1", "a text"},
      {"greeting", "\"a\\ndatadir=/etc\"", "one line"},
      {"greeting", "null", "a text"},
      {"max_connections", "9", "an integer from 10 to 100000, not 9"},
      {"max_connections", "100001", "from 10 to 100000"},
      {"max_connections", "12.0", "an integer"},
      {"max_connections", "1e3", "an integer"},
      {"max_connections", "true", "an integer"},
      {"max_connections", "\"300\"", "an integer"},
      {"max_connections", "300 ", ""},
      {"max_connections", "[300]", "an integer"},
      {"max_connections", "", "an integer"},
      {"max_connections", "0x20", "an integer"},
      {"mode", "\"ANSI,LOOSE\"", "commas between them: ANSI, STRICT"},
      {"pool", "18446744073709551616", "an integer from 0"},
      {"pool", "-1", "an integer from 0"},
      {"slow_time", "0.4", "a number of at least 0.5"},
      {"slow_time", "false", "a number"},
      {"max_conections", "300", "there is max_connections"},
      {"datadir", "\"/etc\"", "mariadb has no parameter datadir that can be set"},
  }));
  CAPTURE(name, json);
  const absl::Status refused = CheckParameters(Server(), {{name, json}});
  if (*said == '\0') {  // blanks around a value do no harm
    CHECK(refused.ok());
    return;
  }
  REQUIRE_FALSE(refused.ok());
  CHECK(ReasonOf(refused).reason == Reason::kConfigurationInvalid);
  const v1::ErrorDetail detail = DetailOf(refused);
  REQUIRE(detail.field_violations_size() == 1);
  CHECK(detail.field_violations(0).field() == std::string("values.") + name);
  INFO(detail.field_violations(0).description());
  CHECK(detail.field_violations(0).description().find(said) != std::string::npos);
}

TEST_CASE("every bad value of a configuration is named", "[unit][model]") {
  const absl::Status refused = CheckParameters(
      Server(), {{"eager", "5"}, {"format", "\"ROW\""}, {"max_connections", "1"}, {"x", "1"}});
  REQUIRE_FALSE(refused.ok());
  CHECK(DetailOf(refused).field_violations_size() == 3);
  CHECK(MessageOf(refused).find("values.eager: must be true or false") == 0);
}

}  // namespace
}  // namespace trove
