#include "libtrove/model/manifest.h"

#include <catch2/catch.hpp>

#include "agents/mariadb/variables.h"
#include "libtrove/base/status.h"
#include "test/integration/mariadb/server_stage.h"

namespace trove::mariadb {
namespace {

std::string AnyValueOf(const ParameterRule& rule) {
  switch (rule.type) {
    case ParameterRule::Type::kInteger:
    case ParameterRule::Type::kFloat:
      return std::to_string(static_cast<std::int64_t>(rule.minimum.value_or(1)));
    case ParameterRule::Type::kBoolean:
      return "true";
    case ParameterRule::Type::kText:
      break;
  }
  return rule.choices.empty() ? "\"\"" : "\"" + rule.choices.front() + "\"";
}

TEST_CASE("the manifest says of each parameter what the server says", "[integration][mariadb]") {
  const auto manifest = LoadManifest(TROVE_MARIADB_MANIFEST);
  REQUIRE(manifest.ok());
  ServerStage stage;
  stage.Prepare();
  std::set<std::string> names;
  for (const ParameterRule& rule : manifest->parameters)
    names.insert(rule.name);
  const auto variables = stage.Describe(names);
  for (const ParameterRule& rule : manifest->parameters) {
    CAPTURE(rule.name);
    const auto found = variables.find(rule.name);
    if (found == variables.end()) {
      CHECK(rule.restart_required);
      continue;
    }
    CHECK(rule.restart_required == found->second.read_only);
    // What the manifest takes the server takes, too.
    if (rule.minimum) CHECK(*rule.minimum >= std::atof(found->second.minimum.c_str()));
    if (rule.maximum) CHECK(*rule.maximum <= std::atof(found->second.maximum.c_str()));
    agent::ServerSettings settings = stage.settings();
    settings.parameters[rule.name] = AnyValueOf(rule);
    INFO(stage.datastore().Validate(settings));
    CHECK(stage.datastore().Validate(settings).ok());
  }
}

}  // namespace
}  // namespace trove::mariadb
