#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <absl/status/status.h>

#include "libtrove/base/call.h"
#include "libtrove/base/clock.h"
#include "libtrove/base/mutex.h"
#include "libtrove/store/sqlite/connection.h"
#include "libtrove/store/sqlite/file_lock.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// The one writer of a process. Work that waits at the same moment is committed together, each
/// piece under a savepoint of its own, so that a refused one takes nothing else with it.
/// Thread-safe.
class WriteQueue {
 public:
  /// Must do the same when it is run again on a fresh transaction. Not OK: nothing of it is kept.
  using Work = std::function<absl::Status(Transaction&)>;

  /// `lock` may be null: nobody else has the database. `clock` must outlive this object.
  WriteQueue(std::unique_ptr<Connection> db, std::unique_ptr<FileLock> lock, const Clock& clock);

  /// Finishes what is queued.
  ~WriteQueue();
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;

  /// Runs `work` and waits until it is durable. Errors: what `work` returns; kDeadlineExceeded or
  /// kCancelled: `call` ended first, and `work` may run yet or already be done, so it owns all that
  /// it touches; kUnavailable: 4096 others wait; kResourceExhausted and others: the commit failed.
  absl::Status Run(const Call& call, Work work) TROVE_EXCLUDES(mutex_);

 private:
  struct Job {
    Call call;
    Work work;
    CondVar changed;
    absl::Status status;
    bool abandoned = false;  // nobody waits for it any more
    bool done = false;
  };
  using Batch = std::vector<std::shared_ptr<Job>>;

  void Loop() TROVE_EXCLUDES(mutex_);
  Batch TakeBatch() TROVE_EXCLUDES(mutex_);
  void RunBatch(const Batch& batch) TROVE_EXCLUDES(mutex_);
  absl::Status Commit(const Batch& batch);
  absl::Status CommitLocked(const Batch& batch);
  absl::Status RunOne(Job& job, bool alone);

  const std::unique_ptr<Connection> db_;
  const std::unique_ptr<FileLock> lock_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar arrived_;
  std::deque<std::shared_ptr<Job>> queue_ TROVE_GUARDED_BY(mutex_);
  bool closing_ TROVE_GUARDED_BY(mutex_) = false;
  std::jthread writer_;
};

}  // namespace trove::sqlite
