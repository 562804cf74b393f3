#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "libtrove/base/call.h"
#include "libtrove/base/mutex.h"
#include "libtrove/store/sqlite/connection.h"

namespace trove::sqlite {

/// Read-only connections, one for each thread that reads at this moment, kept for the next one. At
/// most 64. Thread-safe.
class ReaderPool {
 public:
  explicit ReaderPool(std::string path) : path_(std::move(path)) {}

  /// A connection for this thread's use, given back when the lease ends.
  class Lease {
   public:
    Lease(ReaderPool& pool, std::unique_ptr<Connection> db) : pool_(&pool), db_(std::move(db)) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) = delete;
    ~Lease() {
      if (db_ != nullptr) pool_->Return(std::move(db_));
    }
    Connection& db() { return *db_; }

   private:
    ReaderPool* pool_;
    std::unique_ptr<Connection> db_;
  };

  /// Errors: kDeadlineExceeded, kCancelled: all are in use; else as Connection::Open. `call` must
  /// outlive the lease.
  absl::StatusOr<Lease> Take(const Call& call) TROVE_EXCLUDES(mutex_);

 private:
  void Return(std::unique_ptr<Connection> db) TROVE_EXCLUDES(mutex_);

  const std::string path_;
  Mutex mutex_;
  CondVar returned_;
  std::vector<std::unique_ptr<Connection>> idle_ TROVE_GUARDED_BY(mutex_);  // warmest last
  int in_use_ TROVE_GUARDED_BY(mutex_) = 0;
};

}  // namespace trove::sqlite
