#include "libtrove/store/sqlite/reader_pool.h"

#include <stop_token>

#include "libtrove/base/status_macros.h"

namespace trove::sqlite {
namespace {

constexpr int kMostReaders = 64;

}  // namespace

absl::StatusOr<ReaderPool::Lease> ReaderPool::Take(const Call& call) {
  TROVE_RETURN_IF_ERROR(call.Check());
  std::unique_ptr<Connection> db;
  {
    const std::stop_callback wake(call.stop, [this] {
      const MutexLock lock(mutex_);
      returned_.NotifyAll();
    });
    const MutexLock lock(mutex_);
    returned_.WaitUntil(mutex_, call.deadline, [&]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
      return in_use_ < kMostReaders || call.stop.stop_requested();
    });
    TROVE_RETURN_IF_ERROR(call.Check());
    ++in_use_;
    if (!idle_.empty()) {
      db = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (db == nullptr) {
    absl::StatusOr<std::unique_ptr<Connection>> opened =
        Connection::Open(path_, OpenMode::kReadOnly);
    if (!opened.ok()) {
      Return(nullptr);
      return std::move(opened).status();
    }
    db = *std::move(opened);
  }
  db->SetCall(&call);
  return Lease(*this, std::move(db));
}

void ReaderPool::Return(std::unique_ptr<Connection> db) {
  if (db != nullptr) db->SetCall(nullptr);
  const MutexLock lock(mutex_);
  if (db != nullptr) idle_.push_back(std::move(db));
  --in_use_;
  returned_.NotifyOne();
}

}  // namespace trove::sqlite
