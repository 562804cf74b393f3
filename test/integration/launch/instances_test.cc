#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/integration/launch/test_mesh_process.h"
#include "test/support/eventually.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

// Processes whose command line names this folder.
std::set<pid_t> ProcessesOf(const fs::path& folder) {
  std::set<pid_t> found;
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto command = ReadFile(at->path() / "cmdline");
    if (command.ok() && command->find(folder.string()) != std::string::npos)
      found.insert(std::stoi(name));
  }
  return found;
}

bool IsEmpty(const fs::path& folder) {
  std::error_code error;
  return !fs::exists(folder, error) || fs::is_empty(folder, error);
}

void CreateInstance(const TestDirectory& mesh) {
  const ProgramResult created = mesh.Ask(
      {"instance", "create", "one", "--flavor", "1", "--size", "1", "--watch", "--timeout", "120"});
  INFO(created.output);
  REQUIRE(created.exit_code == 0);
}

void CheckNothingIsLeft(const TestDirectory& mesh) {
  CHECK(Eventually(absl::Seconds(10), [&] { return ProcessesOf(mesh.layout.data_dir).empty(); }));
  CHECK(IsEmpty(mesh.layout.data_dir / "guests"));
  CHECK(IsEmpty(mesh.layout.data_dir / "volumes"));
  CHECK(IsEmpty(mesh.layout.data_dir.parent_path() / "claims"));
}

TEST_CASE("databases run on while the mesh is down, and down --instances removes them",
          "[integration][launch]") {
  const TestDirectory mesh;
  const std::string claims = mesh.layout.data_dir.parent_path() / "claims";
  REQUIRE(mesh.Up({"--set", "taskmanager.claims_dir=" + claims}).exit_code == 0);
  CreateInstance(mesh);
  REQUIRE(mesh.Down().exit_code == 0);
  const std::set<pid_t> databases = ProcessesOf(mesh.layout.data_dir);
  CHECK(databases.size() >= 2);  // keeper or agent, and the server
  CHECK_FALSE(IsEmpty(claims));

  SECTION("of a mesh that runs") {
    REQUIRE(mesh.Up({"--set", "taskmanager.claims_dir=" + claims}).exit_code == 0);
    for (const pid_t pid : databases)
      CHECK(ProcessesOf(mesh.layout.data_dir).contains(pid));  // adopted
  }
  SECTION("of a mesh that does not run") {}
  const ProgramResult down = mesh.Down({"--instances"});
  INFO(down.output);
  CHECK(down.exit_code == 0);
  CheckNothingIsLeft(mesh);
  if (::geteuid() == 0) {
    const std::string id = ReadMeshId(mesh.layout).value();
    CHECK_FALSE(fs::exists("/run/trove/" + id));
  }
}

}  // namespace
}  // namespace trove::trovectl
