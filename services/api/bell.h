#pragma once

#include <absl/time/time.h>

#include "libtrove/base/mutex.h"

namespace trove::api {

/// Wakes one waiting thread; rings that nobody heard yet are one. Thread-safe.
class Bell {
 public:
  void Ring() TROVE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    rung_ = true;
    changed_.NotifyAll();
  }

  /// Returns when it was rung since the last time, or at `deadline`.
  void Wait(absl::Time deadline) TROVE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_, deadline, [this]() TROVE_REQUIRES(mutex_) { return rung_; });
    rung_ = false;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool rung_ TROVE_GUARDED_BY(mutex_) = false;
};

}  // namespace trove::api
