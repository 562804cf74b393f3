#include "libtrove/store/sqlite/checkpointer.h"

#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/log.h"

namespace trove::sqlite {
namespace {

// A log this long is cut off at once: it costs readers more and more.
constexpr std::uintmax_t kLongLogBytes = std::uintmax_t{32} << 20;

}  // namespace

Checkpointer::Checkpointer(std::string path,
                           std::unique_ptr<Connection> db,
                           std::unique_ptr<FileLock> lock,
                           absl::Duration interval,
                           absl::Duration truncate_interval)
    : log_path_(std::move(path) + "-wal"),
      db_(std::move(db)),
      lock_(std::move(lock)),
      interval_(interval),
      truncate_interval_(truncate_interval),
      thread_([this] { Loop(); }) {}

Checkpointer::~Checkpointer() {
  const MutexLock lock(mutex_);
  closing_ = true;
  changed_.NotifyAll();
}

void Checkpointer::Loop() {
  absl::Time truncated = absl::Now();
  while (Wait()) {
    const std::uintmax_t size = LogSize();
    if (size == 0) {
      truncated = absl::Now();
      continue;
    }
    Copy();
    if (size < kLongLogBytes && absl::Now() - truncated < truncate_interval_) continue;
    if (Truncate()) truncated = absl::Now();
  }
  Truncate();
}

// False when it is time to end.
bool Checkpointer::Wait() {
  const MutexLock lock(mutex_);
  return !changed_.WaitUntil(mutex_,
                             absl::Now() + interval_,
                             [this]() TROVE_NO_THREAD_SAFETY_ANALYSIS { return closing_; });
}

std::uintmax_t Checkpointer::LogSize() const {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(log_path_, error);
  return error ? 0 : size;
}

void Checkpointer::Copy() {
  const int code = sqlite3_wal_checkpoint_v2(
      db_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK && code != SQLITE_BUSY) {
    Log().Warning("the store's log could not be moved into the database",
                  {{"error", db_->StatusOf(code, "checkpoint")}});
  }
}

// Most of the log has been copied before: the writers, who must stand aside for this, wait little.
bool Checkpointer::Truncate() {
  if (!lock_->Lock().ok()) return false;
  const Call call = CallFor(absl::Milliseconds(50));  // for readers of the log to end
  db_->SetCall(&call);
  const int code = sqlite3_wal_checkpoint_v2(
      db_->handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  db_->SetCall(nullptr);
  lock_->Unlock();
  return code == SQLITE_OK;
}

}  // namespace trove::sqlite
