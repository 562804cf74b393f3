#include "test/integration/launch/test_mesh_process.h"

#include <algorithm>
#include <cstdlib>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "tools/trovectl/launch/lock.h"

namespace trove::trovectl {

ProgramResult RunTrovectl(const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment) {
  ProgramSpec spec;
  spec.argv = {TROVECTL_BINARY};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  const char* path = std::getenv("PATH");
  spec.environment = {std::string("PATH=") + (path == nullptr ? "/usr/bin:/bin" : path),
                      "HOME=/tmp"};
  spec.environment.insert(spec.environment.end(), environment.begin(), environment.end());
  const absl::StatusOr<ProgramResult> result = RunProgram(CallFor(absl::Minutes(2)), spec);
  if (!result.ok()) return {.exit_code = -1, .output = result.status().ToString()};
  return *result;
}

TestDirectory::TestDirectory() {
  // Guests have users of their own, who must pass through.
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0711));
  layout.data_dir = folder_ / "data";
}

TestDirectory::~TestDirectory() {
  const ProgramResult down = Down({"--instances"});
  if (down.exit_code != 0) WARN(down.output);
}

ProgramResult TestDirectory::Up(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments = {"up", "--data-dir", layout.data_dir, "--detach"};
  for (const char* flag : {"--rest-port", "--grpc-port"}) {
    if (std::find(more.begin(), more.end(), flag) != more.end()) continue;
    arguments.insert(arguments.end(), {flag, "0"});
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunTrovectl(arguments);
}

ProgramResult TestDirectory::Down(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments = {"down", "--data-dir", layout.data_dir};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunTrovectl(arguments);
}

ProgramResult TestDirectory::Status() const {
  return RunTrovectl({"status", "--data-dir", layout.data_dir});
}

ProcessMark TestDirectory::Process(const std::string& program) const {
  const absl::StatusOr<std::string> text = ReadFile(layout.PidFile(program));
  return ParseMark(text.ok() ? *text : "").value_or(ProcessMark());
}

ProcessMark TestDirectory::Launcher() const {
  return FindLauncher(layout).value_or(ProcessMark());
}

bool TestDirectory::Serves() const {
  return Status().exit_code == 0;
}

ClientEnvironment TestDirectory::Client() const {
  return ReadClientEnvironment(layout).value_or(ClientEnvironment());
}

ProgramResult TestDirectory::Ask(const std::vector<std::string>& arguments) const {
  const ClientEnvironment client = Client();
  return RunTrovectl(arguments,
                     {"TROVE_REST_URL=" + client.rest_url,
                      "TROVE_GRPC_ENDPOINT=" + client.grpc_endpoint,
                      "TROVE_TOKEN=" + client.token,
                      "TROVE_PROJECT=" + client.project,
                      "TROVE_CA=" + client.ca});
}

}  // namespace trove::trovectl
