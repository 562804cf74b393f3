#include "libtrove/base/mutex.h"

#include <thread>

#include <catch2/catch.hpp>

#include "libtrove/base/clock.h"

namespace trove {
namespace {

TEST_CASE("a wait ends when its condition holds", "[unit][base]") {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  const std::jthread other([&] {
    {
      const MutexLock lock(mutex);
      ready = true;
    }
    changed.NotifyAll();
  });
  const MutexLock lock(mutex);
  CHECK(changed.WaitUntil(mutex, absl::Now() + absl::Seconds(30), [&] { return ready; }));
}

TEST_CASE("a wait ends at its deadline, and holds the mutex again", "[unit][base]") {
  Mutex mutex;
  CondVar changed;
  const MutexLock lock(mutex);
  const absl::Time deadline = absl::Now() + absl::Milliseconds(20);
  CHECK_FALSE(changed.WaitUntil(mutex, deadline, [] { return false; }));
  CHECK(SystemClock().Now() >= deadline);
}

TEST_CASE("a wait without end is one that only its condition ends", "[unit][base]") {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  const std::jthread other([&] {
    const MutexLock lock(mutex);
    ready = true;
    changed.NotifyOne();
  });
  const MutexLock lock(mutex);
  CHECK(changed.WaitUntil(mutex, absl::InfiniteFuture(), [&] { return ready; }));
}

}  // namespace
}  // namespace trove
