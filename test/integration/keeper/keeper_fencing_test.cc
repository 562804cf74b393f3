#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "test/integration/keeper/test_guest.h"
#include "test/support/eventually.h"

namespace trove::keeper {
namespace {

using std::chrono::seconds;

TEST_CASE("a lower generation than the highest seen is refused", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().generation = 5;
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer);
  const pid_t agent = guest.Status().agent.pid;
  const KeeperClient& client = guest.client();

  for (const absl::Status& refused : {
           client.StartServer(Soon(), {4, Shell("sleep 60")}).status(),
           client.StopServer(Soon(), {4}).status(),
           client.KillServer(Soon(), {4}).status(),
           client.ArmDeadline(Soon(), {4, seconds(0)}).status(),
           client.ReplaceAgent(Soon(), {4, Shell("sleep 60")}).status(),
           client.StopAll(Soon(), {4}).status(),
       }) {
    CHECK(refused.code() == absl::StatusCode::kAborted);
    CHECK(MessageOf(refused) ==
          "STALE_GENERATION: the request has generation 4, the highest seen is 5");
  }
  CHECK(guest.Status().server.pid == server);
  CHECK(guest.Status().agent.pid == agent);
  CHECK(guest.Status().generation == 5);
}

TEST_CASE("a higher generation holds from then on and across keepers", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  REQUIRE(guest.client().ArmDeadline(Soon(), {9, {}}).ok());
  CHECK(guest.Status().generation == 9);
  CHECK(absl::IsAborted(guest.client().ArmDeadline(Soon(), {8, {}}).status()));
  guest.KillKeeper();

  guest.spec().generation = 8;
  const absl::Status stale = guest.TryStart();
  CHECK(absl::IsAborted(stale));
  CHECK(MessageOf(stale).find("STALE_GENERATION: the spec has 8, the highest seen is 9") !=
        std::string::npos);

  guest.spec().generation = 0;  // no claim: merely started again
  guest.Start();
  CHECK(guest.Status().generation == 9);
  CHECK(absl::IsAborted(guest.client().ArmDeadline(Soon(), {8, {}}).status()));
  guest.KillKeeper();

  guest.spec().generation = 10;
  guest.Start();
  CHECK(absl::IsAborted(guest.client().ArmDeadline(Soon(), {9, {}}).status()));
}

TEST_CASE("a second keeper of the same guest is refused", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const KeeperStatus before = guest.Status();
  CHECK(absl::IsAlreadyExists(guest.TryStart()));
  CHECK(guest.Status().keeper_pid == before.keeper_pid);
  CHECK(guest.Status().agent.pid == before.agent.pid);
}

TEST_CASE("a keeper of another guest is not taken for ours", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const KeeperClient stranger(guest.client().socket_path(), "guest-2");
  const absl::Status wrong = stranger.StopAll(Soon(), {99}).status();
  CHECK(wrong.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(MessageOf(wrong) == "WRONG_GUEST: this is the keeper of guest guest-1");
  CHECK(guest.Status().generation == 1);

  guest.KillKeeper();
  guest.spec().guest_id = "guest-2";
  const absl::Status mixed_up = guest.TryStart();
  CHECK(mixed_up.code() == absl::StatusCode::kFailedPrecondition);
  guest.spec().guest_id = "guest-1";
  guest.Start();
}

TEST_CASE("a claim that cannot be written down is not acted on", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  if (::geteuid() == 0 && guest.spec().uid == 0) return;
  const pid_t server = guest.StartServer(kPoliteServer);
  REQUIRE(::chmod(guest.directory().c_str(), 0500) == 0);
  const absl::Status failed = guest.client().KillServer(Soon(), {2}).status();
  CHECK(failed.code() == absl::StatusCode::kInternal);
  CHECK(guest.Status().generation == 1);
  CHECK(IsAlive(server));
  // What needs no new claim works, and everything can always be stopped.
  CHECK(guest.client().ArmDeadline(Soon(), {1, seconds(300)}).ok());
  CHECK(guest.client().StopAll(Soon(), {2, seconds(5)}).ok());
  CHECK_FALSE(IsAlive(server));
  REQUIRE(::chmod(guest.directory().c_str(), 0700) == 0);
}

}  // namespace
}  // namespace trove::keeper
