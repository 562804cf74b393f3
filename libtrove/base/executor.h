#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>

#include "libtrove/base/mutex.h"

namespace trove {

/// A fixed number of threads that run tasks from a bounded queue, in order of arrival. A task that
/// throws is logged as an error and the next one runs. Thread-safe.
class Executor {
 public:
  using Task = std::function<void()>;

  /// `threads` at least 1; `capacity` is how many tasks may wait besides those running. `name` is
  /// the threads' name in the system's lists (15 characters at most are kept). Ends the process
  /// when the system has no thread left.
  Executor(std::string name, int threads, std::size_t capacity) noexcept;

  /// Runs every task already accepted, then ends.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Queues `task`. Errors: kResourceExhausted: the queue is full; kUnavailable: Drain was called.
  /// On an error the task is not run.
  absl::Status Submit(Task task) TROVE_EXCLUDES(mutex_);

  /// Refuses new tasks from now on, and waits until every accepted one has run. May be called again
  /// and by several threads, but not from a task of this executor.
  void Drain() TROVE_EXCLUDES(mutex_);

  /// Tasks that wait and are not yet running.
  std::size_t queued() const TROVE_EXCLUDES(mutex_);

 private:
  void Run() TROVE_EXCLUDES(mutex_);
  void RunTask(const Task& task) const;

  const std::string name_;
  const std::size_t capacity_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Task> queue_ TROVE_GUARDED_BY(mutex_);
  bool draining_ TROVE_GUARDED_BY(mutex_) = false;
  std::size_t running_ TROVE_GUARDED_BY(mutex_);  // threads that have not ended
  std::size_t idle_ TROVE_GUARDED_BY(mutex_);     // of those, the ones without a task
  std::vector<std::jthread> threads_;
};

}  // namespace trove
