#include "libtrove/model/manifest.h"

#include <chrono>
#include <filesystem>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

constexpr char kSmall[] = R"(datastore: small
agent: small
default_version: "1"
versions: [{name: "1", number: "1.0"}]
connection_scheme: small
client_program: small
)";

// A folder with one datastore, and one that an operator adds to.
class Folders {
 public:
  explicit Folders(const std::string& more = "") {
    REQUIRE(MakeDirectory(manifests() / "small", 0755).ok());
    REQUIRE(MakeDirectory(additions(), 0755).ok());
    REQUIRE(WriteFileAtomically(manifests() / "small/manifest.yaml", kSmall + more, 0644).ok());
  }

  std::filesystem::path manifests() const { return folder_ / "agents"; }
  std::filesystem::path additions() const { return folder_ / "datastores"; }

  void Add(const std::string& name, const std::string& text) const {
    REQUIRE(WriteFileAtomically(additions() / name, text, 0644).ok());
  }

  absl::StatusOr<std::vector<Manifest>> Load() const {
    return LoadManifests(manifests(), additions());
  }

 private:
  TemporaryDirectory folder_;
};

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a manifest has the parameters that a configuration may set", "[unit][model]") {
  const Folders folders(
      "parameters:\n"
      "  - {name: zeal, type: float, min: 0.5, max: 2}\n"
      "  - {name: pool, type: integer, min: 10, max: 18446744073709551615, restart: true}\n"
      "  - {name: mode, type: text, choices: [FAST, \"OFF\"], several: true}\n"
      "  - {name: eager, type: boolean}\n");
  const Manifest manifest = folders.Load().value().front();
  REQUIRE(manifest.parameters.size() == 4);
  CHECK(manifest.parameters[0].name == "eager");
  CHECK(manifest.parameters[0].type == ParameterRule::Type::kBoolean);
  CHECK(manifest.parameters[1].choices == std::vector<std::string>{"FAST", "OFF"});
  CHECK(manifest.parameters[1].several);
  CHECK(manifest.parameters[2].restart_required);
  CHECK(manifest.parameters[2].minimum == 10);
  CHECK_FALSE(manifest.parameters[3].restart_required);
  CHECK(manifest.parameters[3].maximum == 2);
}

TEST_CASE("a bad parameter is refused by its file, name and key", "[unit][model]") {
  const auto [line, said] = GENERATE(table<const char*, const char*>({
      {"{name: a, type: number}", "parameters a type must be integer"},
      {"{name: a}", "parameters a needs a text: type"},
      {"{type: text}", "parameters needs a text: name"},
      {"{name: a, type: integer, min: low}", "parameters a needs a number: min"},
      {"{name: a, type: integer, most: 1}", "parameters a has an unknown key: most"},
      {"{name: a, type: integer, restart: maybe}", "parameters a needs true or false: restart"},
      {"{name: Aa, type: integer}", "lower case"},
      {"{name: a, type: text}\n  - {name: a, type: text}", "has a twice"},
  }));
  CAPTURE(line);
  const Folders folders(std::string("parameters:\n  - ") + line + "\n");
  const absl::Status refused = folders.Load().status();
  CHECK(absl::IsInvalidArgument(refused));
  CHECK(Contains(MessageOf(refused), said));
  CHECK(Contains(MessageOf(refused), "small/manifest.yaml"));
}

TEST_CASE("an operator adds versions to a datastore that is known", "[unit][model]") {
  const Folders folders;
  folders.Add(
      "two.yaml",
      "datastore: small\nversions:\n  - {name: \"2\", number: \"2.1\", engine: /opt/two}\n");
  folders.Add("also.yaml", "datastore: small\nversions: [{name: \"2\", number: \"2.2\"}]\n");
  folders.Add("notes.txt", "not read");
  const Datastore datastore = folders.Load().value().front().datastore;
  REQUIRE(datastore.versions.size() == 3);
  const DatastoreVersion& added = datastore.versions[1];
  CHECK(added.name == "2");
  CHECK(added.number == "2.1");
  CHECK(added.engine == "/opt/two");
  CHECK(added.agent == "small");
  CHECK(added.datastore_id == datastore.id);
  CHECK(added.id == VersionIdOf("small", "2", "2.1"));
  CHECK(datastore.versions[2].engine.empty());
  CHECK(datastore.default_version_id == VersionIdOf("small", "1", "1.0"));
}

TEST_CASE("a folder for additions need not exist", "[unit][model]") {
  const Folders folders;
  CHECK(LoadManifests(folders.manifests(), folders.additions() / "none").value().size() == 1);
}

TEST_CASE("a bad addition is refused by its file and key", "[unit][model]") {
  const auto [text, said] = GENERATE(table<const char*, const char*>({
      {"", "needs a text: datastore"},
      {"datastore: large\nversions: [{name: a, number: b}]\n", "none that is known: large"},
      {"datastore: small\n", "needs a list: versions"},
      {"datastore: small\nversions: []\n", "needs a list: versions"},
      {"datastore: small\nversions: [{name: a}]\n", "needs a text: number"},
      {"datastore: small\nversions: [{name: a, number: b, engine: opt}]\n", "whole path"},
      {"datastore: small\nversions: [{name: a, number: b, path: /opt}]\n", "unknown key: path"},
      {"datastore: small\nversions: [{name: a, number: b}]\nagent: x\n", "unknown key: agent"},
      {"datastore: small\nversions: [{name: \"1\", number: \"1.0\"}]\n", "is there already"},
      {"datastore: [\n", "small.yaml"},
  }));
  CAPTURE(text);
  const Folders folders;
  folders.Add("small.yaml", text);
  const absl::Status refused = folders.Load().status();
  CHECK(absl::IsInvalidArgument(refused));
  INFO(MessageOf(refused));
  CHECK(Contains(MessageOf(refused), said));
  CHECK(Contains(MessageOf(refused), "small.yaml"));
}

TEST_CASE("MariaDB's manifest is read at once", "[unit][model]") {
  const std::filesystem::path file = TROVE_SOURCE_DIR "/agents/mariadb/manifest.yaml";
  const auto best = [&file] {
    auto least = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 3; ++i) {
      const auto begun = std::chrono::steady_clock::now();
      REQUIRE(LoadManifest(file).ok());
      least = std::min(least, std::chrono::steady_clock::now() - begun);
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(least).count();
  };
  CHECK(LoadManifest(file).value().parameters.size() > 300);
  CHECK(best() < (TROVE_SANITIZED ? 200 : 20));
}

}  // namespace
}  // namespace trove
