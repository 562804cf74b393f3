#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/integration/launch/test_mesh_process.h"
#include "test/support/eventually.h"
#include "tools/trovectl/launch/mesh.h"
#include "tools/trovectl/launch/ports.h"

namespace trove::trovectl {
namespace {

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a mesh comes up, shows each step, and tells clients where it is",
          "[integration][launch]") {
  const TestDirectory mesh;
  const ProgramResult up = mesh.Up();
  INFO(up.output);
  REQUIRE(up.exit_code == 0);
  for (const std::string& program : ControlPlanePrograms())
    CHECK(Contains(up.output, "ready    " + program));
  CHECK(mesh.Serves());

  struct stat found {};
  REQUIRE(::stat(mesh.layout.ClientEnvironment().c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  const ClientEnvironment client = mesh.Client();
  CHECK(client.rest_url.starts_with("http://127.0.0.1:"));
  CHECK(client.grpc_endpoint.starts_with("127.0.0.1:"));
  CHECK(client.project == "admin");
  const ProgramResult flavors = mesh.Ask({"flavor", "list"});
  INFO(flavors.output);
  CHECK(flavors.exit_code == 0);
  const ProgramResult datastores = mesh.Ask({"datastore", "list"});
  CHECK(Contains(datastores.output, "mariadb"));
}

TEST_CASE("a second launcher for one data directory is refused with the pid of the first",
          "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  const ProgramResult second = mesh.Up();
  CHECK(second.exit_code != 0);
  CHECK(Contains(second.output, "pid " + std::to_string(mesh.Launcher().pid)));
  CHECK(mesh.Serves());
}

TEST_CASE("a taken port ends up with its number and the flag, and nothing runs",
          "[integration][launch]") {
  const TestDirectory first;
  REQUIRE(first.Up().exit_code == 0);
  const Ports taken = ReadPorts(first.layout).value();
  const TestDirectory second;
  const ProgramResult rest = second.Up({"--rest-port", std::to_string(taken.rest)});
  CHECK(rest.exit_code != 0);
  CHECK(Contains(rest.output, "port " + std::to_string(taken.rest)));
  CHECK(Contains(rest.output, "--rest-port"));
  CHECK(second.Launcher().pid == 0);
  CHECK(second.Process("nats-server").pid == 0);
}

TEST_CASE("a wrong setting ends up with what the service says, and nothing runs",
          "[integration][launch]") {
  const TestDirectory mesh;
  const ProgramResult up = mesh.Up({"--set", "taskmanager.no_such=1"});
  CHECK(up.exit_code != 0);
  CHECK(Contains(up.output, "taskmanager exited with 1"));
  CHECK(Contains(up.output, "taskmanager.no_such: there is no such setting"));
  CHECK(mesh.Launcher().pid == 0);
  for (const std::string& program : ControlPlanePrograms())
    CHECK(mesh.Process(program).pid == 0);
  // The same data directory without it is fine.
  CHECK(mesh.Up().exit_code == 0);
}

TEST_CASE("what dies by kill -9 is started again and serves", "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  for (const std::string& program : ControlPlanePrograms()) {
    CAPTURE(program);
    const ProcessMark before = mesh.Process(program);
    REQUIRE(before.pid > 0);
    REQUIRE(::kill(before.pid, SIGKILL) == 0);
    CHECK(Eventually(absl::Seconds(30), [&] {
      const ProcessMark now = mesh.Process(program);
      return now.pid != 0 && now.pid != before.pid && mesh.Serves();
    }));
  }
  CHECK(mesh.Ask({"flavor", "list"}).exit_code == 0);
  const std::string log = ReadFile(mesh.layout.Log("launcher")).value_or("");
  CHECK(Contains(log, "gateway was ended by signal 9"));
  CHECK(Contains(log, "gateway serves again"));
}

TEST_CASE("what stands still is killed, started again and serves", "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up({"--hang-limit", "3"}).exit_code == 0);
  for (const char* program : {"api", "gateway", "taskmanager"}) {
    CAPTURE(program);
    const ProcessMark before = mesh.Process(program);
    REQUIRE(before.pid > 0);
    REQUIRE(::kill(before.pid, SIGSTOP) == 0);
    CHECK(Eventually(absl::Seconds(40), [&] {
      const ProcessMark now = mesh.Process(program);
      return now.pid != 0 && now.pid != before.pid && mesh.Serves();
    }));
    CHECK_FALSE(IsAlive(before));
  }
  const std::string log = ReadFile(mesh.layout.Log("launcher")).value_or("");
  CHECK(Contains(log, "has not answered for"));
}

TEST_CASE("a watch goes on where it was when the service is killed", "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  const ClientEnvironment client = mesh.Client();
  const std::filesystem::path output = mesh.layout.data_dir.parent_path() / "watch.out";
  const absl::StatusOr<pid_t> watch =
      Spawn({.argv = {TROVECTL_BINARY,
                      "event",
                      "watch",
                      "-o",
                      "json",
                      "--after",
                      "0",
                      "--limit",
                      "2",
                      "--timeout",
                      "60"},
             .environment = {"TROVE_GRPC_ENDPOINT=" + client.grpc_endpoint,
                             "TROVE_TOKEN=" + client.token,
                             "TROVE_CA=" + client.ca},
             .output = output});
  REQUIRE(watch.ok());
  const auto make = [&](const std::string& name) {
    return mesh.Ask({"configuration", "create", name, "--values", "max_connections=300"});
  };
  const ProgramResult first = make("first");
  INFO(first.output);
  REQUIRE(first.exit_code == 0);
  CHECK(Eventually(absl::Seconds(20), [&] {
    return Contains(ReadFile(output).value_or(""), "\"specversion\":\"1.0\"");
  }));
  ::kill(mesh.Process("api").pid, SIGKILL);
  CHECK(Eventually(absl::Seconds(20), [&] { return make("second").exit_code == 0; }));
  int wait_status = 0;
  REQUIRE(::waitpid(*watch, &wait_status, 0) == *watch);
  CHECK(WIFEXITED(wait_status));
  CHECK(WEXITSTATUS(wait_status) == 0);
}

TEST_CASE("Ctrl-C stops every process in order and the launcher ends with 0",
          "[integration][launch]") {
  const TestDirectory mesh;
  const std::filesystem::path output = mesh.layout.data_dir.parent_path() / "up.out";
  const absl::StatusOr<pid_t> launcher = Spawn({.argv = {TROVECTL_BINARY,
                                                         "up",
                                                         "--data-dir",
                                                         mesh.layout.data_dir,
                                                         "--rest-port",
                                                         "0",
                                                         "--grpc-port",
                                                         "0"},
                                                .environment = {"PATH=/usr/bin:/bin:/usr/sbin"},
                                                .output = output});
  REQUIRE(launcher.ok());
  CHECK(Eventually(absl::Seconds(60),
                   [&] { return Contains(ReadFile(output).value_or(""), "is ready."); }));
  std::vector<ProcessMark> processes;
  for (const std::string& program : ControlPlanePrograms())
    processes.push_back(mesh.Process(program));
  ::kill(*launcher, SIGINT);
  int wait_status = 0;
  REQUIRE(::waitpid(*launcher, &wait_status, 0) == *launcher);
  const std::string said = ReadFile(output).value_or("");
  INFO(said);
  CHECK(WIFEXITED(wait_status));
  CHECK(WEXITSTATUS(wait_status) == 0);
  for (const ProcessMark& process : processes)
    CHECK_FALSE(IsAlive(process));
  std::size_t at = 0;
  for (const char* program : {"gateway", "api", "taskmanager", "conductor", "nats-server"}) {
    CAPTURE(program);
    const std::size_t next = said.find(std::string("stopped  ") + program, at);
    CHECK(next != std::string::npos);
    at = next;
  }
}

TEST_CASE("a mesh that comes up again has the same token, keys and ports",
          "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  const ClientEnvironment client = mesh.Client();
  const Ports ports = ReadPorts(mesh.layout).value();
  const std::string ca = ReadFile(mesh.layout.EndpointCa()).value();
  REQUIRE(mesh.Down().exit_code == 0);
  CHECK_FALSE(mesh.Serves());
  REQUIRE(mesh.Up().exit_code == 0);
  CHECK(mesh.Client() == client);
  CHECK(ReadPorts(mesh.layout).value() == ports);
  CHECK(ReadFile(mesh.layout.EndpointCa()).value() == ca);
  CHECK(mesh.Ask({"flavor", "list"}).exit_code == 0);
}

TEST_CASE("two meshes run side by side and neither takes the other's token",
          "[integration][launch]") {
  const TestDirectory one;
  const TestDirectory other;
  REQUIRE(one.Up().exit_code == 0);
  REQUIRE(other.Up().exit_code == 0);
  CHECK(one.Client().token != other.Client().token);
  CHECK(one.Serves());
  CHECK(other.Serves());
  REQUIRE(one.Down().exit_code == 0);
  CHECK(other.Serves());
  CHECK(other.Ask({"flavor", "list"}).exit_code == 0);
}

TEST_CASE("what a killed launcher has left is ended by the next one, and by down",
          "[integration][launch]") {
  const TestDirectory mesh;
  REQUIRE(mesh.Up().exit_code == 0);
  std::vector<ProcessMark> left;
  const auto kill_launcher = [&] {
    left.clear();
    for (const std::string& program : ControlPlanePrograms())
      left.push_back(mesh.Process(program));
    const ProcessMark launcher = mesh.Launcher();
    REQUIRE(launcher.pid > 1);
    ::kill(launcher.pid, SIGKILL);
    CHECK(Eventually(absl::Seconds(10), [&] { return !IsAlive(launcher); }));
    for (const ProcessMark& process : left)
      CHECK(IsAlive(process));
  };
  kill_launcher();
  const ProgramResult up = mesh.Up();
  CHECK(up.exit_code == 0);
  CHECK(Contains(up.output, "a launcher that was killed"));
  for (const ProcessMark& process : left)
    CHECK_FALSE(IsAlive(process));
  CHECK(mesh.Serves());

  kill_launcher();
  CHECK(mesh.Down().exit_code == 0);
  for (const ProcessMark& process : left)
    CHECK_FALSE(IsAlive(process));
}

TEST_CASE("a folder that databases cannot pass through is refused by its name",
          "[integration][launch]") {
  if (::geteuid() != 0) return;     // databases are the caller's own processes then
  const TemporaryDirectory closed;  // 0700
  const ProgramResult up = RunTrovectl({"up", "--data-dir", closed / "data", "--detach"});
  CHECK(up.exit_code != 0);
  CHECK(Contains(up.output, "chmod o+x " + closed.path().string()));
  CHECK_FALSE(std::filesystem::exists(closed / "data"));
}

TEST_CASE("services do not take settings from the launcher's environment",
          "[integration][launch]") {
  const TestDirectory mesh;
  const ProgramResult up = RunTrovectl({"up",
                                        "--data-dir",
                                        mesh.layout.data_dir,
                                        "--rest-port",
                                        "0",
                                        "--grpc-port",
                                        "0",
                                        "--detach"},
                                       {"TROVE_API_MASTER_KEY=/nowhere",
                                        "TROVE_CONDUCTOR_LISTEN=nonsense",
                                        "TROVE_TOKEN=trv_other"});
  INFO(up.output);
  CHECK(up.exit_code == 0);
  CHECK(mesh.Client().token != "trv_other");
}

}  // namespace
}  // namespace trove::trovectl
