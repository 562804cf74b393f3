#include <cctype>
#include <map>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/model/manifest.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

// What the real server makes of a configuration, without starting: its variables and their values.
// It refuses an option that it does not have, and a value that is none.
absl::StatusOr<std::map<std::string, std::string>> VariablesWith(const std::string& settings) {
  const absl::StatusOr<std::filesystem::path> server = FindProgram("mariadbd");
  if (!server.ok()) return server.status();
  const TemporaryDirectory folder;
  const std::string file = folder / "my.cnf";
  if (const absl::Status written = WriteFileAtomically(file, "[mariadbd]\n" + settings, 0644);
      !written.ok())
    return written;
  const absl::StatusOr<ProgramResult> result =
      RunProgram(CallFor(absl::Seconds(60)),
                 {.argv = {*server, "--defaults-file=" + file, "--help", "--verbose"}});
  if (!result.ok()) return result.status();
  if (result->exit_code != 0) return absl::InvalidArgumentError(result->output);
  std::map<std::string, std::string> variables;
  std::istringstream lines(result->output);
  bool table = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Variables (")) table = true;
    std::istringstream words(line);
    std::string name;
    std::string value;
    if (!table || !(words >> name)) continue;
    std::getline(words >> std::ws, value);
    for (char& c : name)
      c = c == '-' ? '_' : c;
    variables[name] = value;
  }
  return variables;
}

// A value that every server takes.
std::string Smallest(const ParameterRule& rule) {
  using Type = ParameterRule::Type;
  if (rule.type == Type::kBoolean) return "0";
  if (rule.type == Type::kText) return rule.choices.empty() ? "" : rule.choices.front();
  std::ostringstream text;
  text << std::fixed << rule.minimum.value_or(0);
  const std::string number = text.str();
  return rule.type == Type::kInteger ? number.substr(0, number.find('.')) : number;
}

TEST_CASE("the real server has every parameter of MariaDB's manifest", "[integration][model]") {
  const Manifest manifest = LoadManifest(TROVE_SOURCE_DIR "/agents/mariadb/manifest.yaml").value();
  const auto variables = VariablesWith("");
  INFO(variables.status());
  REQUIRE(variables.ok());
  REQUIRE(variables->size() > 300);
  for (const ParameterRule& rule : manifest.parameters) {
    CAPTURE(rule.name);
    CHECK(variables->contains(rule.name));
  }
}

TEST_CASE("the real server takes the least value of every parameter", "[integration][model]") {
  const Manifest manifest = LoadManifest(TROVE_SOURCE_DIR "/agents/mariadb/manifest.yaml").value();
  std::string settings;
  for (const ParameterRule& rule : manifest.parameters) {
    const std::string value = Smallest(rule);
    if (!value.empty()) settings.append(rule.name).append(" = ").append(value).append("\n");
  }
  const auto variables = VariablesWith(settings);
  INFO(variables.status());
  REQUIRE(variables.ok());
  // Nothing was adjusted, but for what the server derives from other settings.
  CHECK(variables->at("max_connections") == "10");
  CHECK(variables->at("wait_timeout") == "1");
  CHECK(variables->at("innodb_flush_method") == "fsync");
}

}  // namespace
}  // namespace trove
