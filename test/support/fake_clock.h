#pragma once

#include <absl/time/time.h>

#include "libtrove/base/clock.h"
#include "libtrove/base/mutex.h"

namespace trove {

/// A clock that stands still until it is told otherwise. Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1'700'000'000)) : now_(now) {}

  absl::Time Now() const override {
    const MutexLock lock(mutex_);
    return now_;
  }

  void Advance(absl::Duration by) {
    const MutexLock lock(mutex_);
    now_ += by;
  }

  void Set(absl::Time now) {
    const MutexLock lock(mutex_);
    now_ = now;
  }

 private:
  mutable Mutex mutex_;
  absl::Time now_ TROVE_GUARDED_BY(mutex_);
};

}  // namespace trove
