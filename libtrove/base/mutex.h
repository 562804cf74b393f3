#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include <absl/time/clock.h>
#include <absl/time/time.h>

// Lock annotations, checked by clang-tidy (-Wthread-safety); nothing to other compilers.
#if defined(__clang__)
#define TROVE_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define TROVE_THREAD_ANNOTATION(x)
#endif
#define TROVE_CAPABILITY(x) TROVE_THREAD_ANNOTATION(capability(x))
#define TROVE_SCOPED_CAPABILITY TROVE_THREAD_ANNOTATION(scoped_lockable)
#define TROVE_GUARDED_BY(x) TROVE_THREAD_ANNOTATION(guarded_by(x))
#define TROVE_REQUIRES(...) TROVE_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define TROVE_ACQUIRE(...) TROVE_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define TROVE_RELEASE(...) TROVE_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define TROVE_EXCLUDES(...) TROVE_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define TROVE_NO_THREAD_SAFETY_ANALYSIS TROVE_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace trove {

/// An annotated std::mutex. Held for memory work only: no RPC, SQL, file or callback under it.
class TROVE_CAPABILITY("mutex") Mutex {
 public:
  void lock() TROVE_ACQUIRE() { mutex_.lock(); }
  void unlock() TROVE_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class TROVE_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TROVE_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() TROVE_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits for a condition that a Mutex guards. Every wait has a deadline.
class CondVar {
 public:
  /// Waits until `condition()` is true or `deadline` has passed; returns what `condition()` says
  /// then. `mutex` is held by the caller, released while waiting, and held again during `condition`
  /// and after; for the checker a lambda says so: [this]() TROVE_REQUIRES(mutex_) { return x_; }
  template <typename Condition>
  bool WaitUntil(Mutex& mutex, absl::Time deadline, Condition condition)
      TROVE_REQUIRES(mutex) TROVE_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool met = condition_.wait_until(lock, absl::ToChronoTime(deadline), condition);
    lock.release();
    return met;
  }

  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace trove
