#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/store/store.h"
#include "services/taskmanager/provisioner.h"
#include "services/taskmanager/worker_lease.h"

namespace trove::taskmanager {

/// Claims again the ports and uids of every guest that is stored as placed here: to be done before
/// anybody is placed, as a reboot takes the claims away. Failures of single guests are logged.
absl::Status ReclaimPlaces(const Call& call, Store& store, Provisioner& provisioner);

/// Compares what the store wants with what the host has, and mends the difference: a guest whose
/// processes are gone (a reboot, a killed keeper) is ensured again, and one that the store does not
/// know, or has buried, is removed. Guests that run are ensured once too, since this process may
/// have news of where they find the mesh. Guests that an operation holds are the operation's. One
/// task manager a host does it at a time. Thread-safe.
class Reconciler {
 public:
  struct Options {
    MeshAccess mesh;
    absl::Duration every = absl::Minutes(1);
    absl::Duration guest_time = absl::Seconds(30);  ///< for making sure of one guest
  };

  /// What one look found and did.
  struct Report {
    int ensured = 0;
    int removed = 0;
    std::vector<std::string> failures;  ///< which guest, and why
  };

  /// The seams must outlive this object.
  Reconciler(Store& store, Provisioner& provisioner, WorkerLease& worker, Options options);
  ~Reconciler();
  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  /// One look, now. Errors: store or host could not be asked, and nothing was done.
  absl::StatusOr<Report> ReconcileOnce(const Call& call);

  /// Looks at once and then each `every`, on a thread of its own.
  void Start();
  void Stop();

 private:
  void Run(const std::stop_token& stop);
  absl::StatusOr<bool> EnsureAgain(const Call& call,
                                   const Guest& guest,
                                   const std::vector<Flavor>& flavors);

  Store& store_;
  Provisioner& provisioner_;
  WorkerLease& worker_;
  const Options options_;
  const Log log_;
  Mutex mutex_;
  // What this process has ensured, of the guests that the store knew at the last look.
  std::set<GuestId> told_ TROVE_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace trove::taskmanager
