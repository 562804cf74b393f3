#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/subprocess.h"
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
std::string CreateInstance(const TestDirectory& mesh, const std::string& name = "one") {
  const ProgramResult created = mesh.Ask({"instance",
                                          "create",
                                          name,
                                          "--flavor",
                                          "1",
                                          "--size",
                                          "1",
                                          "--database",
                                          "shop",
                                          "--user",
                                          "app:s3cret-enough",
                                          "--wait",
                                          "--timeout",
                                          "120"});
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

// What the tenant's user sees of its database.
ProgramResult Query(const TestDirectory& mesh, const std::string& name, const std::string& sql) {
  const ProgramResult shown = mesh.Ask({"instance", "show", name});
  const std::size_t at = shown.output.find("127.0.0.1:");
  if (at == std::string::npos) return {.exit_code = -1, .output = shown.output};
  const absl::StatusOr<ProgramResult> result =
      RunProgram(CallFor(absl::Seconds(20)),
                 {.argv = {"/usr/bin/mariadb",
                           "--no-defaults",
                           "--protocol=tcp",
                           "--host=127.0.0.1",
                           "--port=" + shown.output.substr(at + 10, 5),
                           "--ssl-ca=" + mesh.Client().ca,
                           "--user=app",
                           "--batch",
                           "--skip-column-names",
                           "-e",
                           sql,
                           "shop"},
                  .environment = {"MYSQL_PWD=s3cret-enough"}});
  if (!result.ok()) return {.exit_code = -1, .output = result.status().ToString()};
  return *result;
}

void KillEverything(const TestDirectory& mesh) {
  // The launcher first, or it would start again what dies.
  ::kill(mesh.Launcher().pid, SIGKILL);
  CHECK(Eventually(absl::Seconds(10), [&] {
    const std::set<pid_t> left = ProcessesOf(mesh.layout.data_dir);
    for (const pid_t pid : left)
      ::kill(pid, SIGKILL);
    return left.empty();
  }));
}

TEST_CASE("after a reboot of the host all instances are back with their data, but for stopped ones",
          "[integration][launch]") {
  const TestDirectory mesh;
  const std::string claims = mesh.layout.data_dir.parent_path() / "claims";
  const std::vector<std::string> options = {"--set", "taskmanager.claims_dir=" + claims};
  REQUIRE(mesh.Up(options).exit_code == 0);
  for (const char* name : {"runs", "rests"}) {
    CreateInstance(mesh, name);
    const ProgramResult written =
        Query(mesh, name, "CREATE TABLE t (x INT); INSERT INTO t VALUES (42)");
    INFO(written.output);
    REQUIRE(written.exit_code == 0);
  }
  const ProgramResult stopped = mesh.Ask({"instance", "stop", "rests", "--wait"});
  INFO(stopped.output);
  REQUIRE(stopped.exit_code == 0);

  KillEverything(mesh);
  std::error_code error;
  if (::geteuid() == 0) fs::remove_all("/run/trove/" + ReadMeshId(mesh.layout).value(), error);
  fs::remove_all(claims, error);
  const ProgramResult up = mesh.Up(options);
  INFO(up.output);
  REQUIRE(up.exit_code == 0);

  CHECK(Eventually(absl::Seconds(60),
                   [&] { return Query(mesh, "runs", "SELECT x FROM t").output == "42\n"; }));
  CHECK(Eventually(absl::Seconds(30), [&] {
    return mesh.Ask({"instance", "show", "runs"}).output.find("HEALTHY") != std::string::npos;
  }));
  const std::string rests = mesh.Ask({"instance", "show", "rests"}).output;
  CHECK(rests.find("SHUTDOWN") != std::string::npos);
  CHECK(Query(mesh, "rests", "SELECT x FROM t").exit_code != 0);
  const ProgramResult started = mesh.Ask({"instance", "start", "rests", "--wait"});
  INFO(started.output);
  REQUIRE(started.exit_code == 0);
  CHECK(Query(mesh, "rests", "SELECT x FROM t").output == "42\n");
}

TEST_CASE("Ctrl-C while waiting leaves the operation alone, and a request id begins it once",
          "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  const ClientEnvironment client = mesh.Client();
  const std::vector<std::string> create = {
      "instance", "create", "one", "--flavor", "1", "--size", "1", "--request-id", "once"};
  ProgramSpec spec;
  spec.argv = {TROVECTL_BINARY};
  spec.argv.insert(spec.argv.end(), create.begin(), create.end());
  spec.argv.emplace_back("--wait");
  spec.environment = {"TROVE_GRPC_ENDPOINT=" + client.grpc_endpoint,
                      "TROVE_TOKEN=" + client.token,
                      "TROVE_CA=" + client.ca};
  spec.output = mesh.layout.data_dir.parent_path() / "create.out";
  const absl::StatusOr<pid_t> waiting = Spawn(spec);
  REQUIRE(waiting.ok());
  const auto said = [&] {
    return ReadFile(spec.output).value_or("");
  };
  REQUIRE(Eventually(absl::Seconds(20), [&] { return said().find(" s  ") != std::string::npos; }));
  ::kill(*waiting, SIGINT);
  int wait_status = 0;
  REQUIRE(::waitpid(*waiting, &wait_status, 0) == *waiting);
  INFO(said());
  CHECK(WIFEXITED(wait_status));
  CHECK(WEXITSTATUS(wait_status) == 130);
  CHECK(said().find("To watch it: trovectl operation watch ") != std::string::npos);

  // The same request is answered by the same instance, which gets ready by itself.
  const ProgramResult again = mesh.Ask(create);
  INFO(again.output);
  CHECK(again.exit_code == 0);
  CHECK(Eventually(absl::Seconds(60), [&] {
    return mesh.Ask({"instance", "show", "one"}).output.find("HEALTHY") != std::string::npos;
  }));
  std::vector<std::string> other = create;
  other[6] = "2";
  CHECK(mesh.Ask(other).exit_code == 4);
  CHECK(mesh.Ask({"instance", "show", "two"}).exit_code == 3);
  CHECK(mesh.Ask({"instance", "resize", "one", "--flavor", "nope"}).exit_code == 2);
  CHECK(mesh.Ask({"instance", "create", "two", "--flavor", "1", "--size", "1000"}).exit_code == 5);
  CHECK(mesh.Ask({"instance", "nonsense"}).exit_code == 2);
}

TEST_CASE("instances that nobody here answers for end down --instances with a reason",
          "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  const std::string id = CreateInstance(mesh);
  REQUIRE(mesh.Down().exit_code == 0);
  REQUIRE(mesh.Up({"--set", "taskmanager.host=elsewhere"}).exit_code == 0);
  REQUIRE(mesh.Down().exit_code == 0);
  const ProgramResult down = mesh.Down({"--instances"});  // a mesh that is as it was last time
  INFO(down.output);
  CHECK(down.exit_code != 0);
  CHECK(down.output.find("cannot be deleted") != std::string::npos);
  CHECK(down.output.find(id + ": the guest is on process:local") != std::string::npos);
  CHECK(mesh.Launcher().pid == 0);
  CHECK(mesh.Up().exit_code == 0);  // where it is answered for, the delete goes on
}

TEST_CASE("a version that an operator has installed can be asked for", "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  REQUIRE(mesh.Down().exit_code == 0);
  const fs::path file = mesh.layout.Datastores() / "mine.yaml";
  REQUIRE(WriteFileAtomically(file, "datastore: nosuch\nversions: []\n", 0644).ok());
  const ProgramResult refused = mesh.Up();
  CHECK(refused.exit_code != 0);
  CHECK(refused.output.find("mine.yaml: datastore is none that is known: nosuch") !=
        std::string::npos);
  REQUIRE(WriteFileAtomically(file,
                              "datastore: mariadb\n"
                              "versions: [{name: \"10.11-own\", number: \"10.11\"}]\n",
                              0644)
              .ok());
  const ProgramResult up = mesh.Up();
  INFO(up.output);
  REQUIRE(up.exit_code == 0);
  CHECK(mesh.Ask({"datastore", "list"}).output.find("10.11-own") != std::string::npos);
  CreateInstance(mesh);
  const ProgramResult upgraded =
      mesh.Ask({"instance", "upgrade", "one", "--version", "10.11-own", "--wait"});
  INFO(upgraded.output);
  CHECK(upgraded.exit_code == 0);
}

}  // namespace
}  // namespace trove::trovectl
