#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/unique_fd.h"
#include "test/integration/launch/test_mesh_process.h"
#include "test/support/eventually.h"
#include "tools/trovectl/launch/ports.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

// Processes whose command line names this folder, and this program if one is given.
std::set<pid_t> ProcessesOf(const fs::path& folder, const std::string& program = "") {
  std::set<pid_t> found;
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto command = ReadFile(at->path() / "cmdline");
    if (command.ok() && command->find(folder.string()) != std::string::npos &&
        command->find(program) != std::string::npos)
      found.insert(std::stoi(name));
  }
  return found;
}

bool IsEmpty(const fs::path& folder) {
  std::error_code error;
  return !fs::exists(folder, error) || fs::is_empty(folder, error);
}

// A port of loopback that somebody else listens on.
class TakenPort {
 public:
  explicit TakenPort(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const int on = 1;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(::listen(fd_.get(), 1) == 0);
  }

 private:
  UniqueFd fd_;
};

// Returns its id.
std::string CreateInstance(const TestDirectory& mesh) {
  const ProgramResult created = mesh.Ask(
      {"instance", "create", "one", "--flavor", "1", "--size", "1", "--watch", "--timeout", "120"});
  INFO(created.output);
  REQUIRE(created.exit_code == 0);
  // `id   <uuid>` is the first line of the table.
  const std::size_t at = created.output.find("id  ");
  REQUIRE(at != std::string::npos);
  return created.output.substr(created.output.find_first_not_of(' ', at + 2), 36);
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

TEST_CASE("a database that ran on hears of the mesh's new ports", "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  const std::string id = CreateInstance(mesh);
  REQUIRE(mesh.Down().exit_code == 0);
  const std::set<pid_t> servers = ProcessesOf(mesh.layout.data_dir, "mariadbd");
  CHECK_FALSE(servers.empty());

  const Ports before = ReadPorts(mesh.layout).value();
  const TakenPort nats(before.nats);
  const TakenPort enrol(before.enrol);
  const ProgramResult up = mesh.Up();
  INFO(up.output);
  REQUIRE(up.exit_code == 0);
  CHECK(up.output.find("the port for nats was taken") != std::string::npos);
  CHECK(ReadPorts(mesh.layout).value().nats != before.nats);
  for (const pid_t pid : servers)
    CHECK(ProcessesOf(mesh.layout.data_dir, "mariadbd").contains(pid));
  const ProgramResult restarted =
      mesh.Ask({"instance", "restart", id, "--watch", "--timeout", "60"});
  INFO(restarted.output);
  CHECK(restarted.exit_code == 0);
}

}  // namespace
}  // namespace trove::trovectl
