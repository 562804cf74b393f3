#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/subprocess.h"
#include "test/integration/keeper/test_guest.h"
#include "test/support/eventually.h"

namespace trove::keeper {
namespace {

TEST_CASE("a keeper comes up with its agent and says who it is", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().generation = 3;
  guest.spec().agent = Shell("env > env; pwd > cwd; echo said; sleep 60");
  guest.spec().agent.environment.push_back("A=1");
  guest.spec().agent.output = (guest / "agent.log").string();
  guest.Start();

  const KeeperStatus status = guest.Status();
  CHECK(status.protocol == kProtocolVersion);
  CHECK(status.guest_id == "guest-1");
  CHECK(status.mesh_id == "deadbeef");
  CHECK(status.boot_id == BootId().value());
  CHECK(status.generation == 3);
  CHECK(status.keeper_start_ticks == ProcessStartTicks(status.keeper_pid).value());
  CHECK(status.agent.running);
  CHECK(status.agent.start_ticks == ProcessStartTicks(status.agent.pid).value());
  CHECK(status.agent.starts == 1);
  CHECK_FALSE(status.server.running);

  CHECK(Eventually(absl::Seconds(10), [&] { return Text(guest / "agent.log") == "said\n"; }));
  CHECK(Text(guest / "env").find("A=1\n") != std::string::npos);
  CHECK(Text(guest / "env").find("HOME=") == std::string::npos);  // nothing of ours
  CHECK(Text(guest / "cwd") == guest.directory().string() + "\n");
  CHECK(::getsid(status.keeper_pid) == status.keeper_pid);
  CHECK(::getsid(status.agent.pid) == status.agent.pid);
}

TEST_CASE("an agent that is killed is started again", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t first = guest.Status().agent.pid;
  REQUIRE(::kill(first, SIGKILL) == 0);
  CHECK(Eventually(absl::Seconds(10), [&] {
    const ProcessStatus agent = guest.Status().agent;
    return agent.running && agent.pid != first;
  }));
  const ProcessStatus agent = guest.Status().agent;
  CHECK(agent.restarts == 1);
  CHECK(agent.starts == 2);
  CHECK(agent.last_exit.kind == ExitStatus::Kind::kSignaled);
  CHECK(agent.last_exit.value == SIGKILL);
  CHECK(agent.last_exit.cause == ExitStatus::Cause::kItself);
}

TEST_CASE("an agent that ends at once is restarted ever more slowly", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().agent = Shell("exit 3");
  guest.spec().backoff_initial = std::chrono::milliseconds(20);
  guest.Start();
  CHECK(Eventually(absl::Seconds(20), [&] { return guest.Status().agent.restarts >= 4; }));
  // 20 + 40 + 80 + 160 ms have passed by now, and the next wait is longer than all of them.
  CHECK(Eventually(absl::Seconds(20), [&] { return guest.Status().agent.next_start_ms > 160; }));
  CHECK(guest.Status().agent.last_exit.kind == ExitStatus::Kind::kExited);
  CHECK(guest.Status().agent.last_exit.value == 3);
}

TEST_CASE("an agent that cannot be executed does not keep the keeper down",
          "[integration][keeper]") {
  TestGuest guest;
  guest.spec().agent.argv = {"/nowhere/agent"};
  guest.Start();
  CHECK_FALSE(guest.Status().agent.running);
  CHECK(guest.Status().agent.last_exit.kind == ExitStatus::Kind::kNotStarted);
  CHECK(guest.Status().agent.last_exit.value == ENOENT);
  CHECK(Text(guest / "keeper.log").find("execute /nowhere/agent: No such file") !=
        std::string::npos);
}

TEST_CASE("what an agent left in its process group ends with it", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().agent = Shell("sleep 60 & echo $! > child; wait");
  guest.Start();
  REQUIRE(Eventually(absl::Seconds(10), [&] { return !Text(guest / "child").empty(); }));
  const pid_t child = std::stoi(Text(guest / "child"));
  CHECK(IsAlive(child));
  REQUIRE(::kill(guest.Status().agent.pid, SIGKILL) == 0);
  CHECK(Eventually(absl::Seconds(10), [&] { return !IsAlive(child); }));
}

TEST_CASE("the server outlives the agent's death and its replacement", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer);
  const pid_t first = guest.Status().agent.pid;
  REQUIRE(::kill(first, SIGKILL) == 0);
  REQUIRE(Eventually(absl::Seconds(10), [&] { return guest.Status().agent.starts == 2; }));
  CHECK(guest.Status().server.pid == server);

  const auto replaced = guest.client().ReplaceAgent(
      Soon(), {2, Shell("echo new > who; while :; do sleep 60; done"), std::chrono::seconds(5)});
  REQUIRE(replaced.ok());
  CHECK(replaced->agent.running);
  CHECK(replaced->agent.starts == 3);
  CHECK(replaced->agent.last_exit.cause == ExitStatus::Cause::kStopped);
  CHECK(replaced->server.pid == server);
  CHECK(replaced->generation == 2);
  CHECK(IsAlive(server));
  CHECK(Eventually(absl::Seconds(10), [&] { return Text(guest / "who") == "new\n"; }));

  // The new one is what is restarted from now on.
  std::filesystem::remove(guest / "who");
  REQUIRE(::kill(replaced->agent.pid, SIGKILL) == 0);
  CHECK(Eventually(absl::Seconds(10), [&] { return Text(guest / "who") == "new\n"; }));
}

TEST_CASE("an agent that does not hear SIGTERM is replaced all the same", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().agent = Shell(kDeafServer);
  guest.Start();
  REQUIRE(Eventually(absl::Seconds(10), [&] { return !Text(guest / "ready").empty(); }));
  const auto replaced =
      guest.client().ReplaceAgent(Soon(), {1, Shell("sleep 60"), std::chrono::milliseconds(50)});
  REQUIRE(replaced.ok());
  CHECK(replaced->agent.running);
  CHECK(replaced->agent.last_exit.cause == ExitStatus::Cause::kKilled);
}

TEST_CASE("a replacement that cannot be executed leaves the old agent", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t first = guest.Status().agent.pid;
  const auto missing =
      guest.client().ReplaceAgent(Soon(), {1, {{"/nowhere/agent"}, {}, "", ""}, {}});
  CHECK(missing.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(guest.Status().agent.pid == first);  // it was not even stopped

  // One that looks executable and is not: the old command runs again.
  const std::filesystem::path garbage = guest / "garbage";
  REQUIRE(WriteFileAtomically(garbage,
                              "\x7f"
                              "not a program",
                              0755)
              .ok());
  const auto odd = guest.client().ReplaceAgent(Soon(), {1, {{garbage.string()}, {}, "", ""}, {}});
  CHECK(odd.status().code() == absl::StatusCode::kFailedPrecondition);
  const ProcessStatus agent = guest.Status().agent;
  CHECK(agent.running);
  CHECK(agent.pid != first);
  CHECK(Text("/proc/" + std::to_string(agent.pid) + "/cmdline").find("/bin/sh") == 0);
}

}  // namespace
}  // namespace trove::keeper
