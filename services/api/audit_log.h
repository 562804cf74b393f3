#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <stop_token>
#include <string>
#include <thread>

#include <absl/time/time.h>

#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/store/store.h"

namespace trove::api {

/// Writes down what was refused, on a thread of its own, so that nobody waits for it. Who is
/// refused over and over cannot fill the store: of what is alike (the same user, action and
/// outcome; the same address without a good token) the first few of a window are written one by
/// one, and the rest as one record with their number. (What is accepted is recorded by the store
/// itself.) Thread-safe.
class AuditLog {
 public:
  struct Options {
    absl::Duration window = absl::Minutes(1);
    std::size_t of_a_user = 20;        ///< alike, one by one, in a window
    std::size_t of_a_stranger = 1;     ///< the same for one address without a good token
    std::size_t most_kinds = 1000;     ///< told apart in a window; beyond that all are alike
    std::size_t most_strangers = 100;  ///< the same for addresses without a good token
    std::size_t capacity = 1000;       ///< records that may wait to be written; more are lost
  };

  /// `store` must outlive this object.
  AuditLog(Store& store, Log log, Options options);
  /// Writes what waits, for a moment.
  ~AuditLog();

  /// Never waits.
  void Record(AuditEntry entry) TROVE_EXCLUDES(mutex_);

 private:
  // What is alike within a window.
  struct Kind {
    std::size_t seen = 0;
    std::size_t held_back = 0;
    AuditEntry last;
  };

  void Run(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  void Write(const AuditEntry& entry);
  void EndWindow() TROVE_REQUIRES(mutex_);
  void Enqueue(AuditEntry entry) TROVE_REQUIRES(mutex_);

  Store& store_;
  const Log log_;
  const Options options_;
  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Kind> kinds_ TROVE_GUARDED_BY(mutex_);
  std::size_t strangers_ TROVE_GUARDED_BY(mutex_) = 0;  // of kinds_
  absl::Time window_end_ TROVE_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::deque<AuditEntry> queue_ TROVE_GUARDED_BY(mutex_);
  std::size_t lost_ TROVE_GUARDED_BY(mutex_) = 0;
  std::jthread thread_;
};

}  // namespace trove::api
