#include "libtrove/base/config.h"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "test/support/temporary_directory.h"
#include "test/unit/base/captured_output.h"

namespace trove {
namespace {

struct Settings {
  std::string listen = "127.0.0.1:8780";
  int heartbeat_timeout_ms = 1000;
  bool verbose = false;
  std::vector<std::string> peers = {"a"};
};

// Sets a variable and takes it back.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_.c_str()); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const std::string name_;
};

absl::StatusOr<bool> Load(Settings& settings, std::vector<const char*> flags) {
  ConfigLoader loader("api", "the public gRPC API");
  loader.Add("listen", &settings.listen, "host:port");
  loader.Add("heartbeat_timeout_ms", &settings.heartbeat_timeout_ms, "milliseconds");
  loader.Add("verbose", &settings.verbose, "more of everything");
  loader.Add("peers", &settings.peers, "who else there is");
  flags.insert(flags.begin(), "trove-api");
  return loader.Load(static_cast<int>(flags.size()), flags.data());
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) : path_((folder_ / "trove.yaml").string()) {
    TROVE_CHECK(WriteFileAtomically(path_, text, 0644).ok());
  }
  const char* path() const { return path_.c_str(); }

 private:
  TemporaryDirectory folder_;
  std::string path_;
};

TEST_CASE("without any source the defaults stand", "[unit][base]") {
  Settings settings;
  CHECK(Load(settings, {}).value());
  CHECK(settings.listen == "127.0.0.1:8780");
  CHECK(settings.heartbeat_timeout_ms == 1000);
  CHECK(settings.peers == std::vector<std::string>{"a"});
}

TEST_CASE("each source outweighs those before it", "[unit][base]") {
  // common < own section < environment < flag: the four settings stop at one each.
  const ConfigFile file(R"(
common: {listen: common, heartbeat_timeout_ms: 1, verbose: false, peers: [common], other_key: 5}
api: {heartbeat_timeout_ms: 2, verbose: false, peers: own}
conductor: {whatever: 1}
)");
  const Variable verbose("TROVE_API_VERBOSE", "true");
  const Variable peers("TROVE_API_PEERS", "b,c");
  const Variable foreign("TROVE_CONDUCTOR_LISTEN", "nobody");
  const Variable unknown("TROVE_API_SERVICE_HOST", "10.0.0.1");
  Settings settings;
  REQUIRE(Load(settings, {"--config", file.path(), "--peers", "d,e,"}).value());
  CHECK(settings.listen == "common");
  CHECK(settings.heartbeat_timeout_ms == 2);
  CHECK(settings.verbose);
  CHECK(settings.peers == std::vector<std::string>{"d", "e"});
}

TEST_CASE("the file can be named by a variable, and a flag outweighs that too", "[unit][base]") {
  const ConfigFile by_variable("api: {listen: one}");
  const ConfigFile by_flag("api: {listen: two}");
  const Variable variable("TROVE_API_CONFIG", by_variable.path());
  Settings settings;
  REQUIRE(Load(settings, {}).value());
  CHECK(settings.listen == "one");
  REQUIRE(Load(settings, {"--config", by_flag.path()}).value());
  CHECK(settings.listen == "two");
}

TEST_CASE("a list is a list in YAML and may be empty", "[unit][base]") {
  const auto [text, want] = GENERATE(table<std::string, std::vector<std::string>>({
      {"[x, y]", {"x", "y"}},
      {"'x,y'", {"x", "y"}},
      {"[]", {}},
      {"''", {}},
  }));
  const ConfigFile file("api: {peers: " + text + "}");
  Settings settings;
  REQUIRE(Load(settings, {"--config", file.path()}).value());
  CHECK(settings.peers == want);
}

TEST_CASE("a file without our section is fine", "[unit][base]") {
  const std::string text = GENERATE("", "# nothing\n", "api:\n", "conductor: {x: 1}\n");
  const ConfigFile file(text);
  Settings settings;
  CHECK(Load(settings, {"--config", file.path()}).value());
}

TEST_CASE("what is wrong in a file is named", "[unit][base]") {
  const auto [text, want] = GENERATE(table<std::string, std::string>({
      {"api: {listn: x}", "api.listn: there is no such setting"},
      {"api: {heartbeat_timeout_ms: 1s}", "api.heartbeat_timeout_ms (1s): must be a whole number"},
      {"api: {heartbeat_timeout_ms: 99999999999}", "must be a whole number"},
      {"api: {heartbeat_timeout_ms: }", "api.heartbeat_timeout_ms: must be a value"},
      {"common: {verbose: maybe}", "common.verbose (maybe): must be true or false"},
      {"api: {listen: {host: x}}", "api.listen: must be a value"},
      {"api: {peers: [[x]]}", "api.peers: must be a list of plain values"},
      {"api: [listen]", "api must be a map of settings"},
      {"- api", "must be a map of sections"},
      {"just text", "must be a map of sections"},
      {"api: {listen: 'x", "trove.yaml: yaml-cpp: error at line"},
      {"api: {[a, b]: x}", "trove.yaml"},
  }));
  CAPTURE(text);
  const ConfigFile file(text);
  Settings settings;
  const absl::Status status = Load(settings, {"--config", file.path()}).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(MessageOf(status), Catch::Contains(want));
}

TEST_CASE("what is wrong outside a file is named too", "[unit][base]") {
  Settings settings;
  SECTION("a variable") {
    const Variable variable("TROVE_API_HEARTBEAT_TIMEOUT_MS", "-");
    const absl::Status status = Load(settings, {}).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(MessageOf(status), Catch::Contains("TROVE_API_HEARTBEAT_TIMEOUT_MS (-)"));
  }
  SECTION("a flag's value") {
    const absl::Status status = Load(settings, {"--heartbeat-timeout-ms", "12x"}).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(MessageOf(status), Catch::Contains("--heartbeat-timeout-ms (12x)"));
  }
  SECTION("a flag's name") {
    const absl::Status status = Load(settings, {"--heartbeat_timeout", "12"}).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(MessageOf(status), Catch::Contains("heartbeat_timeout"));
  }
  SECTION("a word that is no flag") {
    CHECK(absl::IsInvalidArgument(Load(settings, {"start"}).status()));
  }
  SECTION("a missing file") {
    CHECK(absl::IsNotFound(Load(settings, {"--config", "/nowhere/trove.yaml"}).status()));
    const Variable variable("TROVE_API_CONFIG", "/nowhere/trove.yaml");
    CHECK(absl::IsNotFound(Load(settings, {}).status()));
  }
}

TEST_CASE("help names every setting and runs nothing", "[unit][base]") {
  CapturedOutput captured(STDOUT_FILENO);
  Settings settings;
  const absl::StatusOr<bool> run = Load(settings, {"--help"});
  const std::string text = captured.Take();
  CHECK_FALSE(run.value());
  for (const char* part :
       {"--listen", "127.0.0.1:8780", "--heartbeat-timeout-ms", "TROVE_API_CONFIG"})
    CHECK_THAT(text, Catch::Contains(part));
}

TEST_CASE("what is printed can be read back", "[unit][base]") {
  CapturedOutput captured(STDOUT_FILENO);
  Settings settings;
  const absl::StatusOr<bool> run =
      Load(settings, {"--print-config", "--listen", "~", "--peers", "x,y", "--verbose", "true"});
  const ConfigFile file(captured.Take());
  CHECK_FALSE(run.value());
  Settings read;
  REQUIRE(Load(read, {"--config", file.path()}).value());
  CHECK(read.listen == "~");
  CHECK(read.peers == std::vector<std::string>{"x", "y"});
  CHECK(read.verbose);
  CHECK(read.heartbeat_timeout_ms == 1000);
}

}  // namespace
}  // namespace trove
