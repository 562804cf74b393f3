#pragma once

#include <poll.h>

#include <absl/time/clock.h>
#include <absl/time/time.h>

namespace trove {

/// Waits for another thread or process: asks `condition` (callable without arguments, its answer
/// converts to bool) each 5 ms until it is true or `within` has passed, and at least twice, so that
/// a machine which stalled does not fail a test. True when the condition held.
///
///   CHECK(Eventually(absl::Seconds(5), [&] { return seen.load() == 3; }));
template <class F>
bool Eventually(absl::Duration within, F condition) {
  const absl::Time deadline = absl::Now() + within;
  do {
    if (condition()) return true;
    ::poll(nullptr, 0, 5);  // milliseconds
  } while (absl::Now() < deadline);
  return static_cast<bool>(condition());
}

}  // namespace trove
