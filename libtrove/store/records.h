#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <absl/time/time.h>

#include "libtrove/base/id.h"
#include "libtrove/model/catalogue.h"
#include "libtrove/model/configuration.h"
#include "libtrove/model/instance.h"
#include "libtrove/model/instance_state.h"
#include "libtrove/model/operation.h"
#include "libtrove/model/quota.h"

// What goes into and comes out of the Store, in domain words.

namespace trove {

/// A token as it is kept: by its hash alone.
struct TokenRecord {
  std::string hash;  ///< SHA-256 of the token, hex
  ProjectId project_id;
  std::string user;
  std::vector<std::string> roles;
  absl::Time expires_at = absl::InfiniteFuture();

  friend bool operator==(const TokenRecord&, const TokenRecord&) = default;
};

struct Accepted;

/// Who asks for a change, for events and the record.
struct Requester {
  ProjectId project_id;
  std::string user;
  bool admin = false;  ///< may act on other projects' instances
  std::string
      request_id;  ///< of the caller's choice; empty: none. Unique for a day within a project
  std::string
      fingerprint;  ///< of the request's content: the same id with another one is kRequestIdReused
  std::vector<std::string> roles;
  std::string peer;    ///< where the request came from: `192.0.2.7`
  std::string action;  ///< what is asked for: `CreateInstance`; the audit record's word
  /// Makes the answer that a repetition of this request gets (what is secret in it sealed), kept
  /// for a day beside the request id. Called inside the transaction: pure, quick. Null: none kept.
  std::function<std::string(const Accepted&)> answer;
};

/// Everything that showing an instance takes, read by one statement.
struct InstanceView {
  Instance instance;
  DatastoreVersion version;  ///< with datastore_name
  std::optional<VolumeId> volume_id;
  std::int64_t volume_used_bytes = 0;
  std::optional<Endpoint> endpoint;  ///< absent until an address is assigned
  /// The one that holds it, without input and memory. `steps` is the current step alone, or empty
  /// when all are done; `current_step` is still its place among all of them.
  std::optional<Operation> operation;
  std::string guest_message;       ///< what the guest last said of its status
  std::string configuration_name;  ///< of instance.configuration_id; empty: none
};

struct InstancePage {
  std::vector<InstanceView> instances;  ///< by id
  bool more = false;
};

/// A new instance, with everything it begins with, accepted in one transaction.
struct NewInstance {
  Instance instance;  ///< task, service, times and version are set by the store
  GuestId guest_id;
  VolumeId volume_id;
  EndpointId endpoint_id;
  Operation operation;            ///< kind, steps, input, deadline; the rest is set by the store
  std::vector<QuotaDelta> quota;  ///< charged, and given back by delete; not for a system instance
  std::vector<ResourceLock> locks;  ///< held besides the instance until the operation ends
};

/// An action on an instance that exists.
struct NewAction {
  InstanceId instance_id;
  Operation operation;                   ///< kind, steps, input, deadline
  TaskStatus task = TaskStatus::kNone;   ///< set on the instance when accepted
  std::optional<ServiceStatus> service;  ///< set on the instance when accepted, when given
  ActionGuard guard = ActionGuard::kActionable;
  /// What the operation may take besides what the instance has: set aside (reserved) until it ends,
  /// however that is; SetCharge makes it lasting. Deltas that are not positive are left out.
  std::vector<QuotaDelta> quota;
  std::vector<ResourceLock> locks;  ///< held besides the instance until the operation ends
  /// Version of the instance that the action was checked against; 0: none.
  std::int64_t seen_version = 0;
};

/// What an accepting transaction answers.
struct Accepted {
  InstanceView view;
  OperationId operation_id;
  bool repeated = false;  ///< the same request was accepted before: this is its answer
  std::string answer;     ///< when repeated: what Requester::answer made then; empty: nothing kept.
                          ///< `view` may be empty beside it: the instance may be gone since
};

/// Everything that an operation's steps act on, read in one transaction.
struct OperationTarget {
  Instance instance;
  DatastoreVersion version;
  Flavor flavor;
  Guest guest;
  Volume volume;
  Endpoint endpoint;
  std::optional<Configuration> configuration;  ///< the group that the instance uses
};

/// An operation that a worker has just claimed.
struct ClaimedOperation {
  Operation operation;  ///< whole, with input and memory
  std::vector<Signal>
      signals;  ///< everything that has been signalled to it and not consumed, oldest first
  std::int64_t generation = 0;  ///< of the guest, grown by this claim
};

// What a step may change besides its operation. Applied in the same transaction, in order.

/// Where the guest runs and as whom. kAlreadyExists when another guest of this placement has this
/// uid.
struct PlaceGuest {
  std::string placement;
  std::string control_endpoint;
  int uid = 0;
};
/// The address clients connect to. kAlreadyExists when another endpoint has this address and port.
struct AssignEndpoint {
  std::string address;
  int port = 0;
};
/// The hash of the one-time token that the guest may enrol with, and until when. Replaces an
/// earlier one.
struct SetEnrolmentToken {
  std::string hash;
  absl::Time expires_at;
};
struct SetVolumeState {
  VolumeState state = VolumeState::kPending;
};
struct SetTask {
  TaskStatus task = TaskStatus::kNone;
};
struct SetService {
  ServiceStatus service = ServiceStatus::kNew;
};
/// Records a failure that tenants see. An empty message clears it.
struct SetFault {
  std::string message;
  std::string details;
};
/// Replaces the operation's input, so that what was sealed in it is gone.
struct EraseInput {};
/// The number of the server that now runs.
struct SetRunningVersion {
  std::string number;
};
struct SetFlavor {
  FlavorId flavor_id;
};
/// Of the instance and of its volume.
struct SetVolumeSize {
  int size_gib = 0;
};
/// What the instance is charged for one resource from now on; what the operation has set aside of
/// it is used up by this.
struct SetCharge {
  QuotaResource resource = QuotaResource::kRam;
  std::int64_t amount = 0;
};
/// The version that is desired.
struct SetVersion {
  VersionId version_id;
};
/// Absent: none. kConfigurationNotFound: it is gone.
struct SetConfiguration {
  std::optional<ConfigurationId> configuration_id;
};
/// The guest begins a new life: its keys, its enrolment, what was heard of it and its token are
/// forgotten. Its place, volume and generation stay.
struct ResetGuest {};
/// The last word on an instance: what it is still charged is given back, its rows go, its ports and
/// users are free again, and a tombstone stays for each guest (so that a late Ensure is refused)
/// and for the instance (so that Get says it was deleted, to admins).
struct BuryInstance {};

using Effect = std::variant<PlaceGuest,
                            AssignEndpoint,
                            SetEnrolmentToken,
                            SetVolumeState,
                            SetTask,
                            SetService,
                            SetFault,
                            EraseInput,
                            SetRunningVersion,
                            SetFlavor,
                            SetVolumeSize,
                            SetCharge,
                            SetVersion,
                            SetConfiguration,
                            ResetGuest,
                            BuryInstance>;

/// What the owner of an operation writes after a step: everything or nothing.
struct OperationWrite {
  Operation operation;  ///< state, steps, current_step, memory, reason, awaited_signal,
                        ///< waiting_since, due_at, error, help, cancellable,
                        ///< workflow_version
  std::vector<Effect> effects;
  std::vector<std::string> consumed_signals;  ///< names that need not be given again
  bool release = true;  ///< give up ownership: due again at due_at, or when awaited_signal arrives
};

/// What a write of the owner's learns.
struct OperationWritten {
  std::int64_t version = 0;       ///< of the operation now
  bool cancel_requested = false;  ///< somebody wants it to stop
};

/// What a look at its host says of an instance that nobody acts on.
struct Finding {
  GuestId guest_id;
  std::int64_t generation = 0;  ///< of the guest, as the look knew it
  std::vector<Effect> effects;  ///< SetTask, SetService, SetFault
};

/// How many operations a worker may claim.
struct ClaimLimits {
  int operations = 1;  ///< at most so many
  /// At most so many operations that have begun and not ended act on one host; what is beyond that
  /// waits its turn, fairly among projects, and says so in its reason. Deletes are not held back.
  /// 0: no limit.
  int per_host = 0;
  std::string host;  ///< the placement prefix where guests without a place will go
};

/// Which operations to list.
struct OperationFilter {
  std::optional<ProjectId> project;  ///< absent: of all
  std::optional<InstanceId> instance;
  std::string kind;                    ///< empty: of all
  std::vector<OperationState> states;  ///< empty: in all
};

struct OperationPage {
  std::vector<Operation> operations;  ///< youngest first, without input and memory
  std::string next;                   ///< what asks for the next page; empty: this is the last
};

/// How long ended things are kept.
struct Retention {
  absl::Duration operations = absl::Hours(24 * 30);
  absl::Duration failed_inputs = absl::Hours(24 * 7);  ///< what a retry of a failed one would need
  absl::Duration audit = absl::Hours(24 * 90);
};

/// How long the steps of some operations took, for what to expect of the next one.
struct StepDurations {
  int operations = 0;                                          ///< how many were looked at
  std::map<std::string, std::vector<absl::Duration>> by_step;  ///< youngest first
};

/// A request that would have changed something, and what came of it.
struct AuditEntry {
  std::int64_t id = 0;  ///< the store's to set
  absl::Time at;        ///< the store's to set
  ProjectId project_id;
  std::string user;
  std::vector<std::string> roles;
  std::string peer;
  std::string action;
  std::string resource;
  std::string request_id;
  std::string outcome;  ///< `ACCEPTED`, or the reason's name
  std::string message;
  OperationId operation_id;
  std::optional<OperationState> operation_state;  ///< the store's to set when it is read
};

struct AuditFilter {
  std::optional<ProjectId> project;
  std::string user;      ///< empty: of all
  std::string resource;  ///< empty: on all
};

/// A configuration group with what is shown beside it.
struct ConfigurationView {
  Configuration configuration;
  DatastoreVersion version;  ///< with datastore_name
  int instance_count = 0;
};

struct ConfigurationPage {
  std::vector<ConfigurationView> configurations;  ///< by id, without values
  bool more = false;
};

/// What one heartbeat changes in the store.
struct GuestObservation {
  GuestId guest_id;
  std::int64_t incarnation = 0;
  std::int64_t sequence = 0;
  std::int64_t generation = 0;
  ServiceStatus service = ServiceStatus::kUnknown;
  std::string role;
  std::int64_t term = 0;
  int agent_api = 0;
  std::string running_version;
  std::int64_t volume_used_bytes = 0;
  std::string message;
};

/// What the store keeps of a guest for a conductor that takes over its shard.
struct GuestSummary {
  GuestId guest_id;
  std::int64_t incarnation = 0;
  std::int64_t sequence = 0;
  ServiceStatus service = ServiceStatus::kNew;
  std::optional<absl::Time> silent_since;
};

/// A job's result on its way to its operation.
struct JobResult {
  GuestId guest_id;
  JobId job_id;          ///< operation/step/attempt
  bool final = true;     ///< false: progress only
  std::string progress;  ///< shown as the reason for waiting
  std::string payload;   ///< a serialized mesh.v1.JobReport
};

/// What a new guest enrols with.
struct EnrolmentRequest {
  GuestId guest_id;
  std::string token_hash;
  std::string keys_fingerprint;  ///< of all its public keys: the same token works again only with
                                 ///< the same keys
  std::string sealing_public_key;
  std::string nkey_public;
};

/// What the store knows that a certificate must say.
struct EnrolledGuest {
  Guest guest;
  Endpoint endpoint;
  ProjectId project_id;
};

/// A change that watchers hear of. Written in the transaction that made the change.
struct EventRecord {
  EventId id;
  std::int64_t position = 0;  ///< 0: not stamped yet
  ProjectId project_id;
  std::string type;      ///< `trove.instance.created`
  std::string resource;  ///< `instances`
  std::string resource_id;
  std::int64_t resource_version = 0;
  std::string data;  ///< JSON
  absl::Time at;
};

/// Which events to read.
struct EventFilter {
  std::optional<ProjectId> project;  ///< absent: of all
  std::string resource;              ///< `instances`; empty: of all
  std::string resource_id;           ///< empty: of all
};

/// Counters for operators.
struct EngineCounts {
  std::int64_t open_operations = 0;
  std::int64_t held_operations = 0;
  std::int64_t events_waiting = 0;
};

}  // namespace trove
