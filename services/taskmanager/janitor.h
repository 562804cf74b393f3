#pragma once

#include <stop_token>
#include <thread>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/call.h"
#include "libtrove/base/log.h"
#include "libtrove/store/store.h"
#include "services/taskmanager/worker_lease.h"

namespace trove::taskmanager {

/// Makes the store forget what is older than it is kept, in bites so small that nobody waits for
/// them. One task manager does it at a time (the lease `janitor`). Thread-safe.
class Janitor {
 public:
  struct Options {
    Retention kept;
    absl::Duration every = absl::Minutes(1);
    int bite = 200;  ///< rows of each kind in one transaction
  };

  /// The seams must outlive this object; begins at once.
  Janitor(Store& store, WorkerLease& worker, Options options);
  ~Janitor();
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

  /// Forgets everything that is to be forgotten now, or until `call` ends. Returns how many rows
  /// that were; 0 as well when another one does it. Errors: as Store::Purge.
  absl::StatusOr<int> CleanUp(const Call& call);

  /// May be called again.
  void Stop();

 private:
  void Run(const std::stop_token& stop);

  Store& store_;
  WorkerLease& worker_;
  const Options options_;
  const Log log_;
  std::jthread thread_;
};

}  // namespace trove::taskmanager
