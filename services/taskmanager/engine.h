#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include <absl/time/time.h>

#include "libtrove/base/clock.h"
#include "libtrove/base/executor.h"
#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/store/store.h"
#include "services/taskmanager/operation_run.h"
#include "services/taskmanager/worker_lease.h"
#include "services/taskmanager/workflow.h"

namespace trove::taskmanager {

/// Claims operations that are due and takes each one as far as it goes, on a bounded number of
/// threads. An operation that waits is a row and nothing else. Any number of engines, in any number
/// of processes, share one store. Thread-safe.
class Engine {
 public:
  struct Options {
    int threads = 32;  ///< steps that run at a time
    /// Claimed operations that may wait for a thread besides; more only keeps others from them.
    int queue = 32;
    absl::Duration scan_every = absl::Seconds(1);  ///< without any hint
    /// As ClaimLimits::per_host and ClaimLimits::host.
    int operations_per_host = 0;
    std::string host;
    /// After a hint about an operation that is held: whether it is to be cancelled.
    absl::Duration look_after = absl::Milliseconds(50);
    /// Of an operation that the store takes nothing for.
    absl::Duration retry_held = absl::Seconds(30);
  };

  /// The seams must outlive this object; begins at once.
  Engine(Store& store,
         const Clock& clock,
         const Workflows& workflows,
         WorkerLease& lease,
         Options options);

  /// As Drain without grace.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Something may be due: look now. Never waits; hints that come together are one.
  void Wake() TROVE_EXCLUDES(mutex_);
  /// The same, about one operation: when it is held here, it is soon seen whether it is to be
  /// cancelled, so that a long step is interrupted.
  void Wake(const OperationId& operation) TROVE_EXCLUDES(mutex_);

  /// Claims nothing any more, gives each running operation `grace` to reach the end of its step,
  /// and releases the worker's lease; what still runs then is dropped and will be done again by
  /// whoever claims it. May be called again.
  void Drain(absl::Duration grace) TROVE_EXCLUDES(mutex_);

  /// Operations held right now.
  std::int64_t held() const TROVE_EXCLUDES(mutex_);
  /// Operations that ended here since the start.
  std::int64_t finished() const TROVE_EXCLUDES(mutex_);

 private:
  // An operation of one term of this process.
  using RunKey = std::pair<WorkerId, OperationId>;

  void Scan(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  // These say when to do so again.
  absl::Time ScanOnce(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  absl::Time LookAtHinted(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  absl::Time RunHeldAgain() TROVE_EXCLUDES(mutex_);

  std::shared_ptr<OperationRun> NewRun(const std::shared_ptr<const WorkerTerm>& term,
                                       ClaimedOperation claimed);
  void Dispatch(const std::shared_ptr<const WorkerTerm>& term, ClaimedOperation claimed)
      TROVE_EXCLUDES(mutex_);
  void Submit(const RunKey& key) TROVE_EXCLUDES(mutex_);
  void RunClaimed(const RunKey& key) TROVE_EXCLUDES(mutex_);
  std::shared_ptr<OperationRun> FindRun(const RunKey& key) TROVE_EXCLUDES(mutex_);
  int FreeSlots() const TROVE_REQUIRES(mutex_);

  Store& store_;
  const Clock& clock_;
  const Workflows& workflows_;
  WorkerLease& lease_;
  const Options options_;
  const Log log_;
  std::stop_source draining_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool look_now_ TROVE_GUARDED_BY(mutex_) = true;
  std::int64_t finished_ TROVE_GUARDED_BY(mutex_) = 0;
  std::map<RunKey, std::shared_ptr<OperationRun>> running_ TROVE_GUARDED_BY(mutex_);
  // Claimed again while its last run was still writing an outcome that had already been taken.
  std::map<RunKey, std::shared_ptr<OperationRun>> again_ TROVE_GUARDED_BY(mutex_);
  // When to look at held operations that a hint was about.
  std::map<OperationId, absl::Time> hinted_ TROVE_GUARDED_BY(mutex_);
  // When to try again with those of running_ that the store takes nothing for.
  std::map<RunKey, absl::Time> held_ TROVE_GUARDED_BY(mutex_);
  int idle_claims_ = 0;  // in a row, though something was due; of the scanner alone
  Executor executor_;
  std::jthread scanner_;
};

}  // namespace trove::taskmanager
