#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/call.h"
#include "libtrove/base/id.h"
#include "libtrove/base/secret.h"
#include "libtrove/model/catalogue.h"

namespace trove::taskmanager {

/// Where a guest runs, as whom, and where its clients connect. Chosen by Provisioner::Place and
/// stored before anything is made; handed back, unchanged, with every later call.
struct GuestPlace {
  std::string placement;         ///< begins with the provisioner's placement_prefix()
  std::string control_endpoint;  ///< where the agent's door will be: `unix:/…`
  int uid = 0;                   ///< numeric user, group alike; 0: the provisioner gives none
  std::string address;           ///< where clients connect
  int port = 0;                  ///< where clients connect: TCP

  friend bool operator==(const GuestPlace&, const GuestPlace&) = default;
};

/// Which guest a call acts on, and with what right.
struct GuestRef {
  GuestId guest_id;
  InstanceId instance_id;
  /// The guest's generation as the caller knows it. Grows with each claim of an operation on the
  /// guest; the provisioner keeps the highest it has seen and refuses a lower one.
  std::int64_t generation = 0;
};

/// The volume that a guest needs.
struct VolumeSpec {
  VolumeId volume_id;
  GuestRef guest;
  int size_gib = 0;
  DatastoreVersion version;  ///< whose template a new volume begins as, where there is one
  GuestPlace place;          ///< the volume belongs to its uid
};

/// How a guest finds and joins the mesh.
struct MeshAccess {
  std::string conductor_enrol_address;  ///< host:port of ConductorService.Enroll, TLS
  std::string nats_url;                 ///< `tls://host:port`
  std::string mesh_ca_pem;              ///< verifies both
};

/// A guest that must run.
struct GuestSpec {
  GuestRef guest;
  VolumeId volume_id;
  int volume_size_gib = 0;
  DatastoreVersion version;  ///< `agent` names the program: trove-agent-<agent>
  Flavor flavor;             ///< limits of memory and processors
  GuestPlace place;
  MeshAccess mesh;
  /// One-time token that the agent enrols with. Replaces one left by an earlier call, unless the
  /// agent has enrolled already; empty: the guest keeps what it has.
  Secret enrolment_token;
};

/// What a provisioner sees of a guest's processes.
enum class GuestPresence {
  kRunning,  ///< its keeper lives
  kStopped,  ///< nothing runs, because Stop was called
  kGone,     ///< nothing runs, though it should: the host was rebooted, the keeper was killed, or a
             ///< call made only half of it
};

/// A guest as its host has it.
struct ObservedGuest {
  GuestRef guest;  ///< with the highest generation seen; instance_id may be empty when only
                   ///< remains were found
  GuestPresence presence = GuestPresence::kGone;
};

/// Makes guests and volumes on hosts, and unmakes them. The store is the truth and this an
/// actuator: it decides nothing but where a new guest goes. Thread-safe; calls on one guest are put
/// in order, calls on different guests do not wait for each other.
///
/// Every method is idempotent: doing what is done already is OK and quick, and a call that broke
/// off in the middle, also by kill -9, is completed by repeating it. Each one ends by
/// `call.deadline`, or soon after `call.stop` is set.
///
/// Errors of every method that takes a generation: kAborted with reason kStaleOwner: a higher
/// generation has been seen, or the guest was removed for good, so the caller has lost the guest
/// and must stop quietly. Of every method: kDeadlineExceeded and kCancelled: as the call says, and
/// part of the work may be done; kUnavailable: try again; kResourceExhausted: the host is full
/// (disk, ports, uids, processes), and the message says of what; kFailedPrecondition: the host
/// lacks something that a person must mend (a missing program, a folder that cannot be entered);
/// kInvalidArgument: never; kInternal with what was tried and what the system said.
class Provisioner {
 public:
  virtual ~Provisioner() = default;

  /// What every placement of this host begins with: `process:<host>`.
  virtual std::string placement_prefix() const = 0;

  /// Builds ahead what new volumes of these versions begin as, one after another, so that the first
  /// create is as fast as later ones. A version that cannot be built (its server is not installed)
  /// does not keep the others from being built; the first error is returned. Making a volume does
  /// not depend on it.
  virtual absl::Status PrepareTemplates(const Call& call,
                                        const std::vector<DatastoreVersion>& versions) = 0;

  /// Chooses where a guest goes and claims port and uid, host-wide among all meshes. The same guest
  /// gets the same place again as long as it is not released, also after a crash. Nothing else is
  /// made. Errors: kResourceExhausted: no free port or uid.
  virtual absl::StatusOr<GuestPlace> Place(const Call& call, const GuestRef& guest) = 0;

  /// Claims again, after a reboot took the claims, what a stored guest was given. Errors:
  /// kAlreadyExists: somebody else on this host holds the port or uid.
  virtual absl::Status Reclaim(const Call& call,
                               const GuestRef& guest,
                               const GuestPlace& place) = 0;

  /// Gives back the port and uid of `place`, and whatever else was claimed for this guest: a place
  /// that was chosen and never stored is known here alone, and `place` is empty then. Only after
  /// Remove and RemoveVolume; what somebody else has claimed since stays theirs.
  virtual absl::Status Release(const Call& call,
                               const GuestRef& guest,
                               const GuestPlace& place) = 0;

  /// Makes the volume, from the template of its version where there is one; or grows it to
  /// `size_gib`. The content of a volume that exists is never touched.
  virtual absl::Status EnsureVolume(const Call& call, const VolumeSpec& spec) = 0;

  /// Removes the volume and all data on it. The guest must have been removed before.
  virtual absl::Status RemoveVolume(const Call& call,
                                    const GuestRef& guest,
                                    const VolumeId& volume) = 0;

  /// Makes the guest run as described: keeper and agent, and the server once it was prepared. A
  /// guest that runs is adopted: its server is never restarted for this. Returns when the keeper
  /// answers; the agent is heard on the bus later. Errors: kFailedPrecondition: also when the
  /// volume is missing.
  virtual absl::Status Ensure(const Call& call, const GuestSpec& spec) = 0;

  /// Stops server, agent and keeper in this order, in order as long as the call lasts and by force
  /// after that. Files stay. A guest that is not there is stopped.
  virtual absl::Status Stop(const Call& call, const GuestRef& guest) = 0;

  /// Starts again what Stop stopped, as the last Ensure described it. Errors: kNotFound: there is
  /// no such guest here.
  virtual absl::Status Start(const Call& call, const GuestRef& guest) = 0;

  /// Sets limits of memory and processors, without a restart. Errors: kNotFound.
  virtual absl::Status Resize(const Call& call, const GuestRef& guest, const Flavor& flavor) = 0;

  /// Keeps what the volume holds now under `name` ([a-z0-9-], at most 64 characters), so that
  /// RevertVolume can bring it back. Nothing may write to the volume meanwhile: the server must not
  /// run. One that was finished is left as it is; shares space with the volume where the file
  /// system can. Errors: kResourceExhausted: says how much is needed and how much is free.
  virtual absl::Status SnapshotVolume(const Call& call,
                                      const GuestRef& guest,
                                      const VolumeId& volume,
                                      const std::string& name) = 0;

  /// Makes the volume hold what the snapshot does, and keeps the snapshot. The server must not run.
  /// Errors: kNotFound: there is no finished snapshot of this name; the volume was not touched.
  virtual absl::Status RevertVolume(const Call& call,
                                    const GuestRef& guest,
                                    const VolumeId& volume,
                                    const std::string& name) = 0;

  /// Removes a snapshot, finished or not. RemoveVolume removes all of its volume's.
  virtual absl::Status RemoveSnapshot(const Call& call,
                                      const GuestRef& guest,
                                      const VolumeId& volume,
                                      const std::string& name) = 0;

  /// Ends every process of the guest, by force if need be, and removes its files but neither its
  /// volume nor its claims, so that the next Ensure makes it anew.
  virtual absl::Status Reset(const Call& call, const GuestRef& guest) = 0;

  /// Ends every process of the guest, by force if need be, and removes its files but not its
  /// volume. Leaves a tombstone, also for a guest that was never here: a later Place, EnsureVolume
  /// or Ensure of it is refused whatever its generation.
  virtual absl::Status Remove(const Call& call, const GuestRef& guest) = 0;

  /// Starts the guest's agent anew, by force when it does not end in order; its server runs on.
  /// Errors: kNotFound: there is no such guest here; kUnavailable: its keeper does not run.
  virtual absl::Status ReplaceAgent(const Call& call, const GuestRef& guest) = 0;

  /// Every guest of this mesh on this host, remains of half-made ones included, tombstones not.
  virtual absl::StatusOr<std::vector<ObservedGuest>> List(const Call& call) = 0;

  /// Every volume of this mesh on this host, half-made ones not.
  virtual absl::StatusOr<std::vector<VolumeId>> ListVolumes(const Call& call) = 0;

  /// Removes what a crash left of guests for which `is_buried` is true: their claims, as long as no
  /// volume may be theirs; and what was on its way out. A volume is never touched. Returns what it
  /// removed, in words. Errors: also those of `is_buried`.
  virtual absl::StatusOr<std::vector<std::string>> Sweep(
      const Call& call, const std::function<absl::StatusOr<bool>(const GuestId&)>& is_buried) = 0;

  /// From now on `heard` is told, within about a second and on another thread, of each guest whose
  /// processes have ended, on purpose or not; null: nobody is. Who was replaced may hear once more.
  virtual void OnGuestEnded(std::function<void(const GuestId&)> heard) = 0;
};

}  // namespace trove::taskmanager
