#include "libtrove/store/sqlite/write_queue.h"

#include <algorithm>
#include <stop_token>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

constexpr std::size_t kMostWaiting = 4096;
constexpr std::size_t kMostTogether = 64;

// The connection has given the whole transaction up, or cannot be trusted to go on with it.
bool IsFatal(const Connection& db) {
  const int code = sqlite3_errcode(db.handle()) & 0xff;
  return !db.in_transaction() || code == SQLITE_FULL || code == SQLITE_IOERR ||
         code == SQLITE_NOMEM || code == SQLITE_CORRUPT;
}

}  // namespace

WriteQueue::WriteQueue(std::unique_ptr<Connection> db,
                       std::unique_ptr<FileLock> lock,
                       const Clock& clock)
    : db_(std::move(db)), lock_(std::move(lock)), clock_(clock), writer_([this] { Loop(); }) {}

WriteQueue::~WriteQueue() {
  const MutexLock lock(mutex_);
  closing_ = true;
  arrived_.NotifyAll();
}

absl::Status WriteQueue::Run(const Call& call, Work work) {
  TROVE_RETURN_IF_ERROR(call.Check());
  const auto job = std::make_shared<Job>();
  job->call = call;
  job->work = std::move(work);
  const std::stop_callback wake(call.stop, [this, &job] {
    const MutexLock lock(mutex_);
    job->changed.NotifyAll();
  });
  const MutexLock lock(mutex_);
  if (queue_.size() >= kMostWaiting)
    return absl::UnavailableError("store: too many writes wait, try again");
  queue_.push_back(job);
  arrived_.NotifyOne();
  job->changed.WaitUntil(
      mutex_, call.deadline, [&] { return job->done || call.stop.stop_requested(); });
  if (job->done) return job->status;
  job->abandoned = true;
  return call.stop.stop_requested()
             ? absl::CancelledError("store: the caller went while a write waited")
             : absl::DeadlineExceededError("store: the deadline passed while a write waited");
}

void WriteQueue::Loop() {
  while (true) {
    const Batch batch = TakeBatch();
    if (batch.empty()) return;
    RunBatch(batch);
  }
}

WriteQueue::Batch WriteQueue::TakeBatch() {
  const MutexLock lock(mutex_);
  while (true) {
    while (queue_.empty() && !closing_) {
      arrived_.WaitUntil(
          mutex_, absl::Now() + absl::Hours(1), [&]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
            return closing_ || !queue_.empty();
          });
    }
    Batch batch;
    while (!queue_.empty() && batch.size() < kMostTogether) {
      if (!queue_.front()->abandoned) batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    if (!batch.empty() || closing_) return batch;
  }
}

void WriteQueue::RunBatch(const Batch& batch) {
  absl::Status committed = Commit(batch);
  if (absl::IsResourceExhausted(committed) && batch.size() > 1) {
    // One of them may be too large for the disk that is left: each is tried for itself.
    for (const auto& job : batch)
      RunBatch({job});
    return;
  }
  const MutexLock lock(mutex_);
  for (const auto& job : batch) {
    if (!committed.ok() && job->status.ok()) job->status = committed;
    job->work = nullptr;
    job->done = true;
    job->changed.NotifyAll();
  }
}

absl::Status WriteQueue::Commit(const Batch& batch) {
  if (lock_ == nullptr) return CommitLocked(batch);
  TROVE_RETURN_IF_ERROR(lock_->Lock());
  absl::Status status = CommitLocked(batch);
  lock_->Unlock();
  return status;
}

absl::Status WriteQueue::CommitLocked(const Batch& batch) {
  for (const auto& job : batch)
    job->status = absl::OkStatus();
  absl::Status status = sqlite::Run(*db_, "BEGIN IMMEDIATE");
  for (auto job = batch.begin(); status.ok() && job != batch.end(); ++job)
    status = RunOne(**job, batch.size() == 1);
  if (status.ok()) status = sqlite::Run(*db_, "COMMIT");
  if (!status.ok() && db_->in_transaction())
    db_->Execute("ROLLBACK").IgnoreError();  // the first error says more
  return status;
}

// What the work itself says goes to its job; an error here ends the whole transaction.
absl::Status WriteQueue::RunOne(Job& job, bool alone) {
  job.status = job.call.Check();  // it may have waited long: too late is not begun
  if (!job.status.ok()) return absl::OkStatus();
  if (!alone) TROVE_RETURN_IF_ERROR(sqlite::Run(*db_, "SAVEPOINT work"));
  Transaction transaction{*db_, StoreNow(clock_)};
  job.status = job.work(transaction);
  if (alone) return job.status;
  if (!job.status.ok()) {
    if (IsFatal(*db_)) return job.status;
    TROVE_RETURN_IF_ERROR(sqlite::Run(*db_, "ROLLBACK TO work"));
  }
  return sqlite::Run(*db_, "RELEASE work");
}

}  // namespace trove::sqlite
