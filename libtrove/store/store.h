#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/call.h"
#include "libtrove/base/id.h"
#include "libtrove/store/records.h"

namespace trove {

/// The truth: everything that must outlive a process. An interface of whole transactions in domain
/// words; each method is one transaction, done wholly or not at all, and durable when it returns
/// OK. Thread-safe.
///
/// Reads are fast and may run on any thread. Writes wait for the disk: never call one from a thread
/// that must not block.
///
/// Errors of every method: kDeadlineExceeded or kCancelled: as the call says, and a write may still
/// have happened; kUnavailable: the store cannot be reached or is locked, try again;
/// kResourceExhausted: the disk is full; kDataLoss: the store is damaged. Refusals carry a Reason
/// (libtrove/model/errors.h). Time is the store's own clock.
class Store {
 public:
  virtual ~Store() = default;

  // ---- Catalogue ----

  /// Adds what is new and renews what nobody has touched; rows that an operator edited or deleted
  /// stay as they are.
  virtual absl::Status ImportCatalogue(const Call& call, const Catalogue& catalogue) = 0;
  /// All datastores with all their versions, by name.
  virtual absl::StatusOr<std::vector<Datastore>> ListDatastores(const Call& call) = 0;
  virtual absl::StatusOr<std::vector<Flavor>> ListFlavors(const Call& call) = 0;

  // ---- Tokens ----

  virtual absl::Status PutToken(const Call& call, const TokenRecord& token) = 0;
  /// The same for a requester who may ask again: with its request id, `answer` (sealed) is kept for
  /// a day, and a second time nothing is changed and the first answer returned. Writes the audit
  /// record. Errors: kRequestIdReused.
  virtual absl::StatusOr<std::string> PutTokenOnce(const Call& call,
                                                   const Requester& requester,
                                                   const TokenRecord& token,
                                                   const std::string& answer) = 0;
  /// kUnauthenticated: no such token, or it has ended.
  virtual absl::StatusOr<TokenRecord> FindToken(const Call& call, const std::string& hash) = 0;

  // ---- Instances, for tenants ----

  /// One statement. With `project`, only what is that project's and no system instance; without,
  /// any. Errors: kInstanceNotFound, which says when it was deleted.
  virtual absl::StatusOr<InstanceView> GetInstance(const Call& call,
                                                   const std::optional<ProjectId>& project,
                                                   const InstanceId& id) = 0;
  /// One statement. Instances of `project` with an id greater than `after`, at most `limit` (1 to
  /// 100), by id.
  virtual absl::StatusOr<InstancePage> ListInstances(const Call& call,
                                                     const ProjectId& project,
                                                     const InstanceId& after,
                                                     int limit) = 0;
  /// Limits and use of every resource, in the order of kQuotaResources.
  virtual absl::StatusOr<std::vector<Quota>> GetQuotas(const Call& call,
                                                       const ProjectId& project) = 0;

  /// Accepts a new instance: quota, rows, lock, operation, event. Errors: kQuotaExceeded names the
  /// resources; kRequestIdReused; kOperationRunning: a lock is held otherwise;
  /// kConfigurationNotFound. Sets task BUILDING and service NEW. The operation is due at once.
  virtual absl::StatusOr<Accepted> CreateInstance(const Call& call,
                                                  const Requester& requester,
                                                  const NewInstance& instance) = 0;
  /// Accepts an action: its guard (model/instance_state.h) decides, under the exclusive lock on the
  /// instance and the locks it names. Errors: kInstanceNotFound; kWrongState or kNotConfigurable;
  /// kOperationRunning names the operation; kQuotaExceeded; kRequestIdReused; kAborted: the
  /// instance is not at `seen_version` any more.
  virtual absl::StatusOr<Accepted> BeginAction(const Call& call,
                                               const Requester& requester,
                                               const NewAction& action) = 0;
  /// Accepts a delete in every state. Whatever holds the instance is CANCELLED by the same
  /// transaction, without undo (its owner learns of it by kStaleOwner), its lock moves, the guest's
  /// generation grows, the quota is given back. When an operation of the same kind already holds
  /// the instance, that one is the answer (repeated). Errors: kInstanceNotFound; kRequestIdReused.
  virtual absl::StatusOr<Accepted> BeginDelete(const Call& call,
                                               const Requester& requester,
                                               const NewAction& action) = 0;
  /// What the requester's request id led to when it was accepted within the last day, as a repeated
  /// request gets it; absent: it was not, or there is none. A read: for a caller whose own checks
  /// would refuse a repetition, because the first one has changed what they look at. Errors:
  /// kRequestIdReused.
  virtual absl::StatusOr<std::optional<Accepted>> FindAnswer(const Call& call,
                                                             const Requester& requester) = 0;
  /// Done when it returns, without an operation. Errors: kInstanceNotFound; kRequestIdReused.
  virtual absl::StatusOr<Accepted> RenameInstance(const Call& call,
                                                  const Requester& requester,
                                                  const InstanceId& id,
                                                  const std::string& name) = 0;

  // ---- Operations ----

  /// kOperationNotFound also when it is another project's and `project` is given. Without input and
  /// memory.
  virtual absl::StatusOr<Operation> GetOperation(const Call& call,
                                                 const std::optional<ProjectId>& project,
                                                 const OperationId& id) = 0;
  /// Operations after `after` (empty: from the youngest), at most `limit` (1 to 100). One indexed
  /// query and their steps. Errors: kInvalidField: `after` is none of OperationPage::next.
  virtual absl::StatusOr<OperationPage> ListOperations(const Call& call,
                                                       const OperationFilter& filter,
                                                       const std::string& after,
                                                       int limit) = 0;
  /// Asks an operation to stop and makes it due at once. Returns it. Errors: kOperationNotFound;
  /// kOperationEnded; kNotCancellable.
  virtual absl::StatusOr<Operation> CancelOperation(const Call& call,
                                                    const Requester& requester,
                                                    const OperationId& id) = 0;
  /// Takes up an operation that FAILED: it is PENDING and due at once, with locks, what it had set
  /// aside, and the instance's task as when it was accepted; its owner begins at the step that
  /// failed. Its deadline is as far from now as it was from its acceptance. Errors:
  /// kOperationNotFound; kNotRetryable says why; kOperationRunning; kQuotaExceeded.
  virtual absl::StatusOr<Operation> RetryOperation(const Call& call,
                                                   const Requester& requester,
                                                   const OperationId& id) = 0;
  /// Of the last `limit` operations of this kind that succeeded on this datastore.
  virtual absl::StatusOr<StepDurations> GetStepDurations(const Call& call,
                                                         const std::string& kind,
                                                         const DatastoreId& datastore,
                                                         int limit) = 0;
  /// Forgets what is older than kept, at most `limit` rows of each kind. Returns how many went.
  virtual absl::StatusOr<int> Purge(const Call& call, const Retention& kept, int limit) = 0;

  /// Registers a process as a worker with a lease of `lease` from now; or renews it. kAborted
  /// (kStaleOwner) when the lease had ended and the operations it held may be somebody else's: the
  /// process drops what it does and takes a new id.
  virtual absl::Status RenewWorker(const Call& call,
                                   const WorkerId& worker,
                                   absl::Duration lease) = 0;
  /// Ends a worker's lease and releases what it holds, so that others go on at once.
  virtual absl::Status ReleaseWorker(const Call& call, const WorkerId& worker) = 0;

  /// Claims operations that are due and that no live worker holds, within `limits`: by turns among
  /// projects, so that nobody waits for all of somebody else's, the oldest due of each first. Grows
  /// the generation of each one's guest. PENDING and WAITING ones become RUNNING. Frees what dead
  /// workers held. `next_due` says when, beyond these, there may be more at the earliest.
  /// Errors: kAborted (kStaleOwner): the worker is not registered or its lease has ended.
  struct Claims {
    std::vector<ClaimedOperation> operations;
    absl::Time next_due = absl::InfiniteFuture();
  };
  virtual absl::StatusOr<Claims> ClaimDue(const Call& call,
                                          const WorkerId& worker,
                                          const ClaimLimits& limits) = 0;

  /// Everything an operation acts on.
  virtual absl::StatusOr<OperationTarget> LoadTarget(const Call& call, const OperationId& id) = 0;

  /// Writes a step's outcome, when `worker` still holds the operation and its lease lives. When the
  /// operation ends, its locks and what it had set aside are released, and its input (unless it
  /// FAILED: a retry needs it) and signals are erased, in the same transaction; its steps stay. A
  /// signal that is awaited and has already arrived, and a cancel that its owner has not seen, make
  /// it due at once. Errors: kAborted (kStaleOwner): not the owner any more, nothing was written;
  /// as the effects.
  virtual absl::StatusOr<OperationWritten> WriteOperation(const Call& call,
                                                          const WorkerId& worker,
                                                          const OperationWrite& write) = 0;

  /// Tells an operation that something happened; it becomes due when it waits for that. Unknown and
  /// ended operations are not an error. The same name replaces the earlier payload. `signal.at` is
  /// the store's to set.
  virtual absl::Status PostSignal(const Call& call,
                                  const OperationId& id,
                                  const Signal& signal) = 0;

  virtual absl::StatusOr<EngineCounts> CountEngine(const Call& call, const WorkerId& worker) = 0;

  /// Whether this guest was removed for good: a late Ensure must be refused.
  virtual absl::StatusOr<bool> IsBuried(const Call& call, const GuestId& guest) = 0;
  /// Every guest that has a placement with this prefix: what a provisioner compares with its host.
  virtual absl::StatusOr<std::vector<Guest>> ListGuests(const Call& call,
                                                        const std::string& placement_prefix) = 0;

  /// Writes what a look at the host says of a guest's instance, when no operation holds the
  /// instance and the guest's generation is still the one that was looked at. Errors: kAborted
  /// (kStaleOwner): otherwise, and nothing was written.
  virtual absl::Status RecordFinding(const Call& call, const Finding& finding) = 0;

  // ---- Guests, for the conductor ----

  /// Trades a one-time token for membership. Sets enrolled_at and the guest's public keys, posts
  /// the signal `guest.enrolled` (payload: the guest's id) to the operation that holds its
  /// instance. Until the token ends it may be used again with the same keys. Errors:
  /// kUnauthenticated.
  virtual absl::StatusOr<EnrolledGuest> EnrolGuest(const Call& call,
                                                   const EnrolmentRequest& request) = 0;

  /// Claims shards (0 to 63) of guests that no live worker judges, up to a fair share among the
  /// live workers that call this, and gives up what is over it. A shard is held as long as its
  /// worker's lease lives. Returns what is held now, in order. Errors: kAborted (kStaleOwner): as
  /// ClaimDue.
  virtual absl::StatusOr<std::vector<int>> ClaimShards(const Call& call,
                                                       const WorkerId& worker) = 0;
  /// The guests of these shards, as a new holder must know them.
  virtual absl::StatusOr<std::vector<GuestSummary>> ListShard(const Call& call,
                                                              const std::vector<int>& shards) = 0;
  /// Writes what heartbeats changed, one transaction for all. An observation older than what is
  /// stored (incarnation, then sequence) and one of an unknown guest are skipped. Clears
  /// silent_since. While the instance waits for a restart the stored service status stays. Posts
  /// the signal `guest.connected` (payload: the guest's id) when the incarnation is new, and
  /// `guest.status` (payload: the number of the status, in decimal) when the status changed, to the
  /// operation that holds the instance. Returns the operations that became due.
  virtual absl::StatusOr<std::vector<OperationId>> RecordObservations(
      const Call& call, const std::vector<GuestObservation>& observations) = 0;
  /// Stores that these guests have not been heard since the times given. Unknown ones, and those
  /// that are silent already, are skipped.
  virtual absl::Status RecordSilence(const Call& call,
                                     const std::vector<std::pair<GuestId, absl::Time>>& silent) = 0;
  /// Hands a job's report to its operation: a final one as signal `job:<job id>`, progress as the
  /// reason for waiting, while the operation waits for that job. Returns the operation when it
  /// became due. A report of a guest that the operation does not act on, or that is gone, is
  /// kPermissionDenied: a guest speaks for itself alone.
  virtual absl::StatusOr<std::optional<OperationId>> RecordJobResult(const Call& call,
                                                                     const JobResult& result) = 0;

  // ---- Events ----

  /// Takes or renews a named lease for this worker; it ends with the worker's own at the latest.
  /// False: somebody else has it. Errors: kAborted (kStaleOwner): as ClaimDue.
  virtual absl::StatusOr<bool> HoldLease(const Call& call,
                                         const std::string& name,
                                         const WorkerId& worker,
                                         absl::Duration lease) = 0;
  /// Stamps committed events with positions, when `worker` holds the lease `events`, and returns up
  /// to `limit` that wait to be published, by position. Errors: kAborted (kStaleOwner).
  virtual absl::StatusOr<std::vector<EventRecord>> StampEvents(const Call& call,
                                                               const WorkerId& worker,
                                                               int limit) = 0;
  /// These and all before need not be returned again. Events are kept 7 days. Errors: kAborted
  /// (kStaleOwner).
  virtual absl::Status MarkPublished(const Call& call,
                                     const WorkerId& worker,
                                     std::int64_t position) = 0;
  /// Stamped events after `position`, by position. Errors: kEventsGone: some after `position` are
  /// not kept any more (0 is never too old).
  virtual absl::StatusOr<std::vector<EventRecord>> ReadEvents(const Call& call,
                                                              const EventFilter& filter,
                                                              std::int64_t position,
                                                              int limit) = 0;
  /// The position of the last stamped event; 0: there was none.
  virtual absl::StatusOr<std::int64_t> LastPosition(const Call& call) = 0;

  // ---- Configuration groups ----

  /// Errors: kVersionNotFound; kRequestIdReused. A repeated request returns the first one's group.
  virtual absl::StatusOr<ConfigurationView> CreateConfiguration(
      const Call& call, const Requester& requester, const Configuration& configuration) = 0;
  /// Errors: kConfigurationNotFound.
  virtual absl::StatusOr<ConfigurationView> GetConfiguration(
      const Call& call, const std::optional<ProjectId>& project, const ConfigurationId& id) = 0;
  /// Of `project` with an id greater than `after`, at most `limit` (1 to 100).
  virtual absl::StatusOr<ConfigurationPage> ListConfigurations(const Call& call,
                                                               const ProjectId& project,
                                                               const ConfigurationId& after,
                                                               int limit) = 0;
  /// Errors: kConfigurationNotFound; kConfigurationInUse; kOperationRunning: one attaches it.
  virtual absl::Status DeleteConfiguration(const Call& call,
                                           const Requester& requester,
                                           const ConfigurationId& id) = 0;

  // ---- Audit ----
  // Every method above that takes a Requester writes the record of what it accepts in its own
  // transaction (a repeated request is recorded too).

  /// Records what was refused.
  virtual absl::Status RecordAudit(const Call& call, const AuditEntry& entry) = 0;
  /// Records with an id below `before` (0: from the youngest), youngest first, at most `limit` (1
  /// to 100).
  virtual absl::StatusOr<std::vector<AuditEntry>> ListAudit(const Call& call,
                                                            const AuditFilter& filter,
                                                            std::int64_t before,
                                                            int limit) = 0;
};

/// The shard of a guest, 0 to 63.
int ShardOf(const GuestId& guest);

}  // namespace trove
