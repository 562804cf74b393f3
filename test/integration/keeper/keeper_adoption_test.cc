#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <catch2/catch.hpp>

#include "test/integration/keeper/test_guest.h"
#include "test/support/eventually.h"

namespace trove::keeper {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("a new keeper adopts what a killed one left running", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer);
  const pid_t agent = guest.Status().agent.pid;
  guest.KillKeeper();
  CHECK(IsAlive(server));
  CHECK(IsAlive(agent));
  guest.Start();
  const KeeperStatus adopted = guest.Status();
  CHECK(adopted.server.running);
  CHECK(adopted.server.adopted);
  CHECK(adopted.server.pid == server);
  CHECK(adopted.agent.pid == agent);
  CHECK(adopted.agent.adopted);
  CHECK(adopted.agent.starts == 1);

  SECTION("and starts an adopted agent again when it ends") {
    REQUIRE(::kill(agent, SIGKILL) == 0);
    REQUIRE(Eventually(absl::Seconds(10), [&] { return guest.Status().agent.starts == 2; }));
    CHECK(guest.Status().agent.last_exit.kind == ExitStatus::Kind::kUnknown);
    CHECK_FALSE(guest.Status().agent.adopted);
  }
  SECTION("and replaces an adopted agent") {
    REQUIRE(guest.client().ReplaceAgent(Soon(), {1, Shell("sleep 60"), seconds(10)}).ok());
    CHECK_FALSE(IsAlive(agent));
  }
  SECTION("and sees an adopted server end") {
    REQUIRE(::kill(server, SIGKILL) == 0);
    const auto ended = guest.client().WaitServer(Soon());
    REQUIRE(ended.ok());
    CHECK(ended->server.last_exit.kind == ExitStatus::Kind::kUnknown);
    CHECK(ended->server.last_exit.cause == ExitStatus::Cause::kItself);
  }
  SECTION("and stops an adopted server") {
    const auto stopped = guest.client().StopServer(Soon(), {1, SIGTERM, seconds(10)});
    REQUIRE(stopped.ok());
    CHECK(stopped->server.last_exit.cause == ExitStatus::Cause::kStopped);
    CHECK_FALSE(IsAlive(server));
  }
  SECTION("and kills an adopted server") {
    REQUIRE(guest.client().KillServer(Soon(), {1}).ok());
    CHECK_FALSE(IsAlive(server));
  }
  SECTION("and stops them both") {
    REQUIRE(guest.client().StopAll(Soon(), {1, seconds(5)}).ok());
    CHECK_FALSE(IsAlive(server));
    CHECK_FALSE(IsAlive(agent));
    CHECK_FALSE(IsAlive(adopted.keeper_pid));
  }
  SECTION("and ends what an adopted server left in its process group") {
    REQUIRE(::kill(server, SIGKILL) == 0);
    CHECK(Eventually(absl::Seconds(10), [&] { return ::kill(-server, 0) != 0; }));
  }
  SECTION("and so does the one after it") {
    guest.KillKeeper();
    guest.Start();
    CHECK(guest.Status().server.pid == server);
    CHECK(guest.Status().agent.pid == agent);
  }
}

TEST_CASE("a deadline armed with a killed keeper holds with the next", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer, true);
  const bool long_past = GENERATE(true, false);
  CAPTURE(long_past);
  REQUIRE(guest.client().ArmDeadline(Soon(), {1, seconds(long_past ? 1 : 300)}).ok());
  guest.KillKeeper();
  CHECK(IsAlive(server));
  guest.Start();
  if (long_past) {
    const auto ended = guest.client().WaitServer(Soon());
    REQUIRE(ended.ok());
    CHECK_FALSE(ended->server.running);
    CHECK_FALSE(IsAlive(server));
    CHECK(ended->server.last_exit.cause == ExitStatus::Cause::kDeadline);
  } else {
    CHECK(guest.Status().deadline_ms > 200'000);
  }
}

TEST_CASE("a server that ended while no keeper was there", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const bool restart = GENERATE(false, true);
  CAPTURE(restart);
  const pid_t server = guest.StartServer(kPoliteServer, restart);
  guest.KillKeeper();
  REQUIRE(::kill(-server, SIGKILL) == 0);
  REQUIRE(Eventually(absl::Seconds(5), [&] { return !IsAlive(server); }));
  guest.Start();
  if (restart) {
    CHECK(Eventually(absl::Seconds(10), [&] { return guest.Status().server.running; }));
    CHECK(guest.Status().server.pid != server);
    CHECK(guest.Status().server.restarts == 1);
  } else {
    CHECK_FALSE(guest.Status().server.running);
  }
  CHECK(guest.Status().server.last_exit.kind == ExitStatus::Kind::kUnknown);
}

TEST_CASE("what another boot left is not adopted", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer, true);
  const pid_t agent = guest.Status().agent.pid;
  const std::string boot_id = guest.Status().boot_id;
  guest.KillKeeper();
  std::string state = Text(guest / "keeper.state");
  const std::size_t at = state.find(boot_id);
  REQUIRE(at != std::string::npos);
  state.replace(at, boot_id.size(), std::string(boot_id.size(), '0'));
  std::ofstream(guest / "keeper.state") << state;

  guest.Start();
  CHECK_FALSE(guest.Status().server.running);
  CHECK(guest.Status().server.next_start_ms == -1);
  CHECK(guest.Status().server.last_exit.kind == ExitStatus::Kind::kUnknown);
  CHECK(guest.Status().agent.running);
  CHECK(guest.Status().agent.pid != agent);
  for (const pid_t pid : {server, agent})
    ::kill(-pid, SIGKILL);
}

TEST_CASE("a pid that was given to another process is not adopted", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer);
  const std::string ticks =
      "server_start_ticks=" + std::to_string(guest.Status().server.start_ticks);
  guest.KillKeeper();
  std::string state = Text(guest / "keeper.state");
  const std::size_t at = state.find(ticks);
  REQUIRE(at != std::string::npos);
  state.replace(at, ticks.size(), "server_start_ticks=1");
  std::ofstream(guest / "keeper.state") << state;

  guest.Start();
  CHECK_FALSE(guest.Status().server.running);
  CHECK(IsAlive(server));
  ::kill(-server, SIGKILL);
}

TEST_CASE("a keeper killed at any moment of a start leaves no server unknown",
          "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  // Says so when there is a second one.
  const Command server =
      Shell("exec 9>running; flock -n 9 || echo two servers >> wrong; exec sleep 60");
  for (int i = 0; i < 40; ++i) {
    CAPTURE(i);
    const pid_t keeper = guest.Status().keeper_pid;
    std::jthread asking([&] {
      guest.client().StartServer(Soon(), {1, server, true}).IgnoreError();  // it may be cut off
    });
    const absl::Time moment = absl::Now() + i * absl::Microseconds(100);
    while (absl::Now() < moment)
      std::this_thread::yield();
    REQUIRE(::kill(keeper, SIGKILL) == 0);
    asking.join();
    REQUIRE(Eventually(absl::Seconds(5), [&] { return !IsAlive(keeper); }));
    guest.Start();
    const auto again = guest.client().StartServer(Soon(), {1, server, true}).status();
    REQUIRE((again.ok() || absl::IsAlreadyExists(again)));
    REQUIRE(guest.client().KillServer(Soon(), {1}).ok());
  }
  CHECK(Text(guest / "wrong").empty());
}

}  // namespace
}  // namespace trove::keeper
