#include "services/taskmanager/process/keeper_watch.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include <catch2/catch.hpp>

#include "libtrove/base/check.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

/// A process that waits to be killed.
pid_t Sleeper() {
  const pid_t pid = ::fork();
  TROVE_CHECK(pid >= 0);
  if (pid == 0) {
    while (true)
      ::pause();
  }
  return pid;
}

void Kill(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

/// Who was told of.
struct Ears {
  Mutex mutex;
  std::multiset<GuestId> ended;

  KeeperWatch::Heard Heard() {
    return [this](const GuestId& guest) {
      const MutexLock lock(mutex);
      ended.insert(guest);
    };
  }
  int count(const GuestId& guest) {
    const MutexLock lock(mutex);
    return static_cast<int>(ended.count(guest));
  }
};

TEST_CASE("a keeper that ends is told of at once and once", "[unit][taskmanager]") {
  Ears ears;
  const auto watch = KeeperWatch::Start();
  REQUIRE(watch.ok());
  (*watch)->SetHeard(ears.Heard());
  const GuestId one("one");
  const GuestId two("two");
  const pid_t first = Sleeper();
  const pid_t second = Sleeper();
  CHECK((*watch)->Watch(one, first).ok());
  CHECK((*watch)->Watch(one, first).ok());
  CHECK((*watch)->Watch(two, second).ok());
  CHECK((*watch)->watched() == 2);
  Kill(first);
  CHECK(Eventually(absl::Seconds(1), [&] { return ears.count(one) == 1; }));
  CHECK((*watch)->watched() == 1);
  CHECK(ears.count(two) == 0);
  Kill(second);
  CHECK(Eventually(absl::Seconds(1), [&] { return ears.count(two) == 1; }));
  CHECK(ears.count(one) == 1);
}

TEST_CASE("only the newest keeper of a guest is watched", "[unit][taskmanager]") {
  Ears ears;
  const auto watch = KeeperWatch::Start();
  REQUIRE(watch.ok());
  (*watch)->SetHeard(ears.Heard());
  const GuestId guest("one");
  const pid_t old = Sleeper();
  const pid_t fresh = Sleeper();
  CHECK((*watch)->Watch(guest, old).ok());
  CHECK((*watch)->Watch(guest, fresh).ok());
  CHECK((*watch)->watched() == 1);
  Kill(old);
  Kill(fresh);
  CHECK(Eventually(absl::Seconds(1), [&] { return ears.count(guest) == 1; }));
}

TEST_CASE("a keeper that has ended before cannot be watched", "[unit][taskmanager]") {
  const auto watch = KeeperWatch::Start();
  REQUIRE(watch.ok());
  const pid_t pid = Sleeper();
  Kill(pid);
  CHECK_FALSE((*watch)->Watch(GuestId("one"), pid).ok());
  CHECK((*watch)->watched() == 0);
}

}  // namespace
}  // namespace trove::taskmanager
