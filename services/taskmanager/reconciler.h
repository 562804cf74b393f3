#pragma once

#include <map>
#include <memory>
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

/// Compares what the store wants with what the host has, and mends the difference:
///   a guest whose processes are gone (a reboot, a killed keeper) is ensured again;
///   one whose agent is not heard though its keeper lives gets another agent;
///   one whose data volume is missing is shown as ERROR, and nothing is made in its place: it comes
///   back with its volume;
///   one that the store does not know, or has buried, is removed, and what a crash left of it;
///   an instance that something was being done to, by an operation that is no more, is shown so.
/// What could not be mended stands in the instance's fault until it is. Guests that run are ensured
/// once too, since this process may have news of where they find the mesh. Guests that an operation
/// holds are the operation's: what is done here carries the generation that was looked at, and is
/// refused once an operation has acted. Thread-safe.
class Reconciler {
 public:
  struct Options {
    MeshAccess mesh;
    absl::Duration every = absl::Minutes(1);
    absl::Duration guest_time = absl::Seconds(30);      ///< for making sure of one guest
    absl::Duration at_least = absl::Milliseconds(200);  ///< between two looks
    /// How long a guest that runs is left unheard before its agent is replaced, and how long after
    /// that it is done again.
    absl::Duration silent_for = absl::Seconds(30);
    absl::Duration silent_again = absl::Minutes(5);
  };

  /// What one look found and did.
  struct Report {
    int ensured = 0;
    int removed = 0;
    int agents = 0;                     ///< that were replaced
    int faults = 0;                     ///< that were shown or cleared
    std::vector<std::string> swept;     ///< what a crash had left
    std::vector<VolumeId> unknown;      ///< volumes that are nobody's: data, left for a person
    std::vector<std::string> failures;  ///< which guest, and why
  };

  /// The seams must outlive this object.
  Reconciler(Store& store, Provisioner& provisioner, WorkerLease& worker, Options options);
  ~Reconciler();
  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  /// One look, now. Errors: store or host could not be asked, and nothing more was done.
  absl::StatusOr<Report> ReconcileOnce(const Call& call);

  /// Looks at once, then each `every`, and when a guest's processes end; on a thread of its own.
  /// The regular look is that of one task manager a host.
  void Start();
  void Stop();

 private:
  // What a provisioner's thread and ours share; outlives both.
  struct Notices;
  // What this process remembers of a guest from look to look.
  struct Seen {
    bool told = false;  ///< ensured by this process
    std::optional<absl::Time> unheard_since;
    std::optional<absl::Time> agent_replaced;
  };
  // One look's view of everything.
  struct Look;

  void Run(const std::stop_token& stop);
  absl::Status LookAtGuest(const Call& call, const Guest& guest, Look& look);
  absl::Status LookAtSilence(const Call& call,
                             const Guest& guest,
                             const InstanceView& view,
                             Look& look);
  absl::Status EnsureAgain(
      const Call& call, const Guest& guest, const InstanceView& view, bool gone, Look& look);
  absl::Status Show(const Call& call,
                    const Guest& guest,
                    std::vector<Effect> effects,
                    Look& look) const;
  absl::Status RemoveStrangers(const Call& call, Look& look);

  Store& store_;
  Provisioner& provisioner_;
  WorkerLease& worker_;
  const Options options_;
  const Log log_;
  const std::shared_ptr<Notices> notices_;
  Mutex mutex_;
  // Of the guests that the store knew at the last look.
  std::map<GuestId, Seen> seen_ TROVE_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace trove::taskmanager
