#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "test/integration/keeper/test_guest.h"
#include "test/support/eventually.h"

namespace trove::keeper {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("a server is stopped by its signal and its exit code reported", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t pid = guest.StartServer(kPoliteServer);
  const auto stopped = guest.client().StopServer(Soon(), {1, SIGTERM, seconds(10)});
  REQUIRE(stopped.ok());
  CHECK_FALSE(stopped->server.running);
  CHECK(stopped->server.last_exit.kind == ExitStatus::Kind::kExited);
  CHECK(stopped->server.last_exit.value == 7);
  CHECK(stopped->server.last_exit.cause == ExitStatus::Cause::kStopped);
  CHECK_FALSE(IsAlive(pid));
  // Stopping what does not run is done at once.
  CHECK(guest.client().StopServer(Soon(), {1}).ok());
  CHECK(guest.client().KillServer(Soon(), {1}).ok());
  CHECK(guest.client().WaitServer(Soon()).ok());
  // And it can be started again.
  CHECK(guest.StartServer(kPoliteServer) != pid);
}

TEST_CASE("a server that does not hear its signal is killed after the grace period",
          "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  guest.StartServer(kDeafServer);
  const auto stopped = guest.client().StopServer(Soon(), {1, SIGTERM, milliseconds(50)});
  REQUIRE(stopped.ok());
  CHECK(stopped->server.last_exit.kind == ExitStatus::Kind::kSignaled);
  CHECK(stopped->server.last_exit.value == SIGKILL);
  CHECK(stopped->server.last_exit.cause == ExitStatus::Cause::kKilled);
}

TEST_CASE("killing a server takes its process group with it", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  guest.StartServer("sleep 60 & echo $! > child; echo up > ready; wait");
  const pid_t child = std::stoi(Text(guest / "child"));
  const auto killed = guest.client().KillServer(Soon(), {1});
  REQUIRE(killed.ok());
  CHECK(killed->server.last_exit.cause == ExitStatus::Cause::kKilled);
  CHECK(Eventually(absl::Seconds(5), [&] { return !IsAlive(child); }));
}

TEST_CASE("a server is started once", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t pid = guest.StartServer(kPoliteServer);
  const auto again = guest.client().StartServer(Soon(), {1, Shell("sleep 60")});
  CHECK(again.status().code() == absl::StatusCode::kAlreadyExists);
  CHECK(guest.Status().server.pid == pid);
}

TEST_CASE("a server that cannot be executed says why", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  StartServerRequest request{1, Shell("sleep 60"), true};
  std::string want;
  SECTION("no such program") {
    request.command.argv = {"/nowhere/server"};
    want = "execute /nowhere/server: No such file or directory";
  }
  SECTION("no such folder") {
    request.command.cwd = "/nowhere";
    want = "enter /nowhere: No such file or directory";
  }
  SECTION("no such log") {
    request.command.output = "/nowhere/log";
    want = "open /nowhere/log: No such file or directory";
  }
  const auto started = guest.client().StartServer(Soon(), request);
  CHECK(started.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(MessageOf(started.status()) == "SPAWN_FAILED: " + want);
  const ProcessStatus server = guest.Status().server;
  CHECK_FALSE(server.running);
  CHECK(server.next_start_ms == -1);  // whoever asked decides
  CHECK(server.last_exit.kind == ExitStatus::Kind::kNotStarted);
}

TEST_CASE("a server ends for good unless its restart was asked for", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  SECTION("not asked for") {
    guest.StartServer("exit 4", false, false);
    const auto ended = guest.client().WaitServer(Soon());
    REQUIRE(ended.ok());
    CHECK(ended->server.last_exit.value == 4);
    CHECK(ended->server.next_start_ms == -1);
    CHECK(ended->server.restarts == 0);
  }
  SECTION("asked for") {
    const pid_t first = guest.StartServer(kPoliteServer, true);
    REQUIRE(::kill(first, SIGKILL) == 0);
    REQUIRE(Eventually(absl::Seconds(10), [&] {
      const ProcessStatus server = guest.Status().server;
      return server.running && server.pid != first;
    }));
    CHECK(guest.Status().server.restarts == 1);
    // Stopped means stopped.
    const auto stopped = guest.client().StopServer(Soon(), {1, SIGKILL, seconds(5)});
    REQUIRE(stopped.ok());
    CHECK_FALSE(stopped->server.restart);
    CHECK(stopped->server.next_start_ms == -1);
  }
  SECTION("asked for, and stopped while it waits for its restart") {
    guest.StartServer("exit 4", true, false);
    REQUIRE(Eventually(absl::Seconds(10), [&] { return guest.Status().server.restarts >= 3; }));
    const auto stopped = guest.client().StopServer(Soon(), {1});
    REQUIRE(stopped.ok());
    CHECK(stopped->server.next_start_ms == -1);
    CHECK_FALSE(stopped->server.running);
  }
}

TEST_CASE("a server has no descriptor of the keeper and its own session", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t pid = guest.StartServer("echo up > ready; exec sleep 60");
  REQUIRE(Eventually(absl::Seconds(10),
                     [&] { return Text("/proc/" + std::to_string(pid) + "/comm") == "sleep\n"; }));
  const std::filesystem::directory_iterator descriptors("/proc/" + std::to_string(pid) + "/fd");
  CHECK(std::distance(descriptors, {}) == 3);
  CHECK(::getsid(pid) == pid);
  CHECK(ProcStatus(pid, "SigBlk") == std::vector<std::string>{"0000000000000000"});
  // 32 and 33 are the C library's own.
  const std::uint64_t ignored = std::stoull(ProcStatus(pid, "SigIgn").at(0), nullptr, 16);
  CHECK((ignored & ~std::uint64_t{0x180000000}) == 0);
}

TEST_CASE("a deadline that is not armed anew kills the server", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t pid = guest.StartServer(kDeafServer, true);
  REQUIRE(guest.client().ArmDeadline(Soon(), {1, seconds(300)}).ok());
  CHECK(guest.Status().deadline_ms > 200'000);
  REQUIRE(guest.client().ArmDeadline(Soon(), {1, {}}).ok());
  CHECK(guest.Status().deadline_ms == -1);
  CHECK(IsAlive(pid));

  REQUIRE(guest.client().ArmDeadline(Soon(), {1, milliseconds(50)}).ok());
  const auto ended = guest.client().WaitServer(Soon());
  REQUIRE(ended.ok());
  CHECK(ended->server.last_exit.cause == ExitStatus::Cause::kDeadline);
  CHECK(ended->server.last_exit.value == SIGKILL);
  CHECK(ended->server.next_start_ms == -1);  // its restart is not the keeper's to decide any more
  CHECK(ended->deadline_ms == -1);
  // An explicit start is.
  guest.StartServer(kPoliteServer);
}

TEST_CASE("whoever subscribed is told of each change in order", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  auto events = guest.client().Subscribe(Soon());
  REQUIRE(events.ok());
  const auto next = [&] {
    const auto event = (*events)->Next(Soon());
    INFO(MessageOf(event.status()));
    REQUIRE(event.ok());
    return *event;
  };
  CHECK(next().kind == EventKind::kSubscribed);
  const pid_t pid = guest.StartServer(kPoliteServer);
  const Event started = next();
  CHECK(started.kind == EventKind::kServerStarted);
  CHECK(started.status.server.pid == pid);

  REQUIRE(::kill(pid, SIGKILL) == 0);
  const Event ended = next();
  CHECK(ended.kind == EventKind::kServerExited);
  CHECK(ended.status.server.last_exit.value == SIGKILL);

  REQUIRE(::kill(ended.status.agent.pid, SIGKILL) == 0);
  CHECK(next().kind == EventKind::kAgentExited);
  CHECK(next().kind == EventKind::kAgentStarted);

  // Nothing more: the call ends, by its time or by its stop.
  CHECK(absl::IsDeadlineExceeded((*events)->Next(CallFor(absl::Milliseconds(20))).status()));
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  CHECK(absl::IsCancelled((*events)->Next(CallFor(absl::Seconds(60), stop.get_token())).status()));

  guest.KillKeeper();
  CHECK(absl::IsUnavailable((*events)->Next(Soon()).status()));
  CHECK(absl::IsUnavailable(guest.client().GetStatus(Soon()).status()));
  guest.Start();  // so that somebody stops the agent
}

}  // namespace
}  // namespace trove::keeper
