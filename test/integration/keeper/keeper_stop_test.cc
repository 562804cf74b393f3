#include <signal.h>

#include <filesystem>
#include <string>

#include <catch2/catch.hpp>

#include "test/integration/keeper/test_guest.h"
#include "test/support/eventually.h"

namespace trove::keeper {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("stopping all leaves no process", "[integration][keeper]") {
  TestGuest guest;
  // It has a child that left its session, and one that left its parent too.
  guest.spec().agent = Shell(
      "setsid sh -c 'echo $$ > stray1; exec sleep 60' & "
      "sh -c 'setsid sh -c \"echo \\$\\$ > stray2; exec sleep 60\" &'; "
      "trap 'echo stopped > agent_said; exit 0' TERM; "
      "while :; do sleep 60 & wait; done");
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer, true);
  REQUIRE(Eventually(absl::Seconds(10), [&] {
    return !Text(guest / "stray1").empty() && !Text(guest / "stray2").empty();
  }));
  const pid_t strays[] = {std::stoi(Text(guest / "stray1")), std::stoi(Text(guest / "stray2"))};
  const KeeperStatus before = guest.Status();
  for (const pid_t stray : strays)
    CHECK(IsAlive(stray));

  const auto stopped = guest.client().StopAll(Soon(), {2, seconds(10)});
  REQUIRE(stopped.ok());
  CHECK(stopped->stopping);
  CHECK_FALSE(stopped->agent.running);
  CHECK_FALSE(stopped->server.running);
  CHECK(stopped->server.last_exit.value == 7);
  CHECK(Text(guest / "agent_said") == "stopped\n");
  for (const pid_t pid : {strays[0], strays[1], server, before.agent.pid, before.keeper_pid}) {
    CAPTURE(pid);
    CHECK(Eventually(absl::Seconds(1), [&] { return !IsAlive(pid); }));
  }
  CHECK_FALSE(std::filesystem::exists(guest.client().socket_path()));
  CHECK(absl::IsUnavailable(guest.client().GetStatus(Soon()).status()));

  // Nothing is started behind the agent's back when the guest comes up again.
  guest.spec().generation = 2;
  guest.Start();
  CHECK_FALSE(guest.Status().server.running);
  CHECK(guest.Status().server.next_start_ms == -1);
  CHECK(guest.Status().agent.running);
}

TEST_CASE("stopping all kills what does not stop in time", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().agent = Shell("trap '' TERM; echo up > agent_ready; while :; do sleep 60; done");
  guest.Start();
  const pid_t server = guest.StartServer(kDeafServer);
  REQUIRE(Eventually(absl::Seconds(10), [&] { return !Text(guest / "agent_ready").empty(); }));
  const pid_t agent = guest.Status().agent.pid;
  const auto stopped = guest.client().StopAll(Soon(), {1, milliseconds(100)});
  REQUIRE(stopped.ok());
  CHECK(stopped->server.last_exit.cause == ExitStatus::Cause::kKilled);
  CHECK(stopped->agent.last_exit.cause == ExitStatus::Cause::kKilled);
  CHECK_FALSE(IsAlive(server));
  CHECK_FALSE(IsAlive(agent));
}

TEST_CASE("the server is stopped by the signal that it was started with", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  StartServerRequest request{1,
                             Shell("trap '' TERM; trap 'exit 9' USR1; echo up > ready; "
                                   "while :; do sleep 60 & wait; done")};
  request.stop_signal = SIGUSR1;
  REQUIRE(guest.client().StartServer(Soon(), request).ok());
  REQUIRE(Eventually(absl::Seconds(10), [&] { return !Text(guest / "ready").empty(); }));
  const auto stopped = guest.client().StopAll(Soon(), {1, seconds(10)});
  REQUIRE(stopped.ok());
  CHECK(stopped->server.last_exit.value == 9);
}

TEST_CASE("SIGTERM to the keeper stops everything", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().stop_grace = seconds(10);
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer);
  const KeeperStatus before = guest.Status();
  REQUIRE(::kill(before.keeper_pid, SIGTERM) == 0);
  CHECK(Eventually(absl::Seconds(10), [&] { return !IsAlive(before.keeper_pid); }));
  CHECK_FALSE(IsAlive(server));
  CHECK_FALSE(IsAlive(before.agent.pid));
  CHECK(Text(guest / "keeper.state").find("server_exit_value=7\n") != std::string::npos);
}

TEST_CASE("a keeper on its way out starts nothing", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().stop_grace = milliseconds(300);
  guest.Start();
  guest.StartServer(kDeafServer);
  auto events = guest.client().Subscribe(Soon());
  REQUIRE(events.ok());
  REQUIRE((*events)->Next(Soon()).ok());
  REQUIRE(::kill(guest.Status().keeper_pid, SIGTERM) == 0);
  const auto stopping = (*events)->Next(Soon());
  REQUIRE(stopping.ok());
  CHECK(stopping->kind == EventKind::kStopping);
  CHECK(stopping->status.stopping);
  CHECK(absl::IsUnavailable(guest.client().StartServer(Soon(), {1, Shell("sleep 60")}).status()));
  CHECK(absl::IsUnavailable(guest.client().ReplaceAgent(Soon(), {1, Shell("sleep 60")}).status()));
  // Who asks for the same joins in, and may shorten it.
  CHECK(guest.client().StopAll(Soon(), {1, milliseconds(0)}).ok());
}

}  // namespace
}  // namespace trove::keeper
