#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include <absl/time/time.h>

#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/store/store.h"

namespace trove::taskmanager {

/// One life of this process among the workers: from a registered name to the loss of its lease.
struct WorkerTerm {
  WorkerId id;
  std::stop_token lost;  ///< set when the lease is lost: what was begun under it is dropped
};

/// Keeps this process registered as a worker: renews its lease on a thread of its own, so that long
/// steps do not lose it. A lease that ended, or that could not be renewed in time, is lost for
/// good: the term's token is set before another worker can take over, and the next renewal begins a
/// new term under a new name. Thread-safe.
class WorkerLease {
 public:
  struct Options {
    std::string name = "taskmanager";  ///< the names of its terms begin with it
    absl::Duration lease = absl::Milliseconds(1750);
    absl::Duration renew_every = absl::Milliseconds(500);
  };

  /// `store` must outlive this object; begins at once.
  WorkerLease(Store& store, Options options);

  /// As Release.
  ~WorkerLease();
  WorkerLease(const WorkerLease&) = delete;
  WorkerLease& operator=(const WorkerLease&) = delete;

  /// Null while there is none: the store cannot be reached, or refuses.
  std::shared_ptr<const WorkerTerm> Current() const TROVE_EXCLUDES(mutex_);

  /// When the current term ends unless renewed; the infinite past without one.
  absl::Time until() const TROVE_EXCLUDES(mutex_);

  /// Ends `term` when it is still the current one: the store has said that it is stale.
  void Abandon(const WorkerTerm& term) TROVE_EXCLUDES(mutex_);

  /// Ends the current term and gives back in the store what it holds, so that others go on at once.
  /// No term begins after it. May be called again.
  void Release() TROVE_EXCLUDES(mutex_);

 private:
  struct Term {
    std::stop_source stop;
    std::shared_ptr<const WorkerTerm> seen;
    absl::Time until;
  };

  void Run(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  void RenewOnce(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  void EndCurrent(std::string_view why) TROVE_EXCLUDES(mutex_);

  Store& store_;
  const Options options_;
  const Log log_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::optional<Term> term_ TROVE_GUARDED_BY(mutex_);
  bool released_ TROVE_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace trove::taskmanager
