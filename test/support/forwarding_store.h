#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libtrove/store/store.h"

namespace trove {

/// A Store that hands everything on to another one. A test overrides what it wants to go otherwise.
class ForwardingStore : public Store {
 public:
  /// `store` must outlive this object.
  explicit ForwardingStore(Store& store) : store_(store) {}

  absl::Status ImportCatalogue(const Call& call, const Catalogue& catalogue) override {
    return store_.ImportCatalogue(call, catalogue);
  }
  absl::StatusOr<std::vector<Datastore>> ListDatastores(const Call& call) override {
    return store_.ListDatastores(call);
  }
  absl::StatusOr<std::vector<Flavor>> ListFlavors(const Call& call) override {
    return store_.ListFlavors(call);
  }
  absl::Status PutToken(const Call& call, const TokenRecord& token) override {
    return store_.PutToken(call, token);
  }
  absl::StatusOr<std::string> PutTokenOnce(const Call& call,
                                           const Requester& requester,
                                           const TokenRecord& token,
                                           const std::string& answer) override {
    return store_.PutTokenOnce(call, requester, token, answer);
  }
  absl::StatusOr<TokenRecord> FindToken(const Call& call, const std::string& hash) override {
    return store_.FindToken(call, hash);
  }
  absl::StatusOr<InstanceView> GetInstance(const Call& call,
                                           const std::optional<ProjectId>& project,
                                           const InstanceId& id) override {
    return store_.GetInstance(call, project, id);
  }
  absl::StatusOr<InstancePage> ListInstances(const Call& call,
                                             const ProjectId& project,
                                             const InstanceId& after,
                                             int limit) override {
    return store_.ListInstances(call, project, after, limit);
  }
  absl::StatusOr<std::vector<Quota>> GetQuotas(const Call& call,
                                               const ProjectId& project) override {
    return store_.GetQuotas(call, project);
  }
  absl::StatusOr<Accepted> CreateInstance(const Call& call,
                                          const Requester& requester,
                                          const NewInstance& instance) override {
    return store_.CreateInstance(call, requester, instance);
  }
  absl::StatusOr<Accepted> BeginAction(const Call& call,
                                       const Requester& requester,
                                       const NewAction& action) override {
    return store_.BeginAction(call, requester, action);
  }
  absl::StatusOr<Accepted> BeginDelete(const Call& call,
                                       const Requester& requester,
                                       const NewAction& action) override {
    return store_.BeginDelete(call, requester, action);
  }
  absl::StatusOr<std::optional<Accepted>> FindAnswer(const Call& call,
                                                     const Requester& requester) override {
    return store_.FindAnswer(call, requester);
  }
  absl::StatusOr<Accepted> RenameInstance(const Call& call,
                                          const Requester& requester,
                                          const InstanceId& id,
                                          const std::string& name) override {
    return store_.RenameInstance(call, requester, id, name);
  }
  absl::StatusOr<Operation> GetOperation(const Call& call,
                                         const std::optional<ProjectId>& project,
                                         const OperationId& id) override {
    return store_.GetOperation(call, project, id);
  }
  absl::StatusOr<OperationPage> ListOperations(const Call& call,
                                               const OperationFilter& filter,
                                               const std::string& after,
                                               int limit) override {
    return store_.ListOperations(call, filter, after, limit);
  }
  absl::StatusOr<Operation> CancelOperation(const Call& call,
                                            const Requester& requester,
                                            const OperationId& id) override {
    return store_.CancelOperation(call, requester, id);
  }
  absl::StatusOr<Operation> RetryOperation(const Call& call,
                                           const Requester& requester,
                                           const OperationId& id) override {
    return store_.RetryOperation(call, requester, id);
  }
  absl::StatusOr<StepDurations> GetStepDurations(const Call& call,
                                                 const std::string& kind,
                                                 const DatastoreId& datastore,
                                                 int limit) override {
    return store_.GetStepDurations(call, kind, datastore, limit);
  }
  absl::StatusOr<int> Purge(const Call& call, const Retention& kept, int limit) override {
    return store_.Purge(call, kept, limit);
  }
  absl::Status RenewWorker(const Call& call,
                           const WorkerId& worker,
                           absl::Duration lease) override {
    return store_.RenewWorker(call, worker, lease);
  }
  absl::Status ReleaseWorker(const Call& call, const WorkerId& worker) override {
    return store_.ReleaseWorker(call, worker);
  }
  absl::StatusOr<Claims> ClaimDue(const Call& call,
                                  const WorkerId& worker,
                                  const ClaimLimits& limits) override {
    return store_.ClaimDue(call, worker, limits);
  }
  absl::StatusOr<OperationTarget> LoadTarget(const Call& call, const OperationId& id) override {
    return store_.LoadTarget(call, id);
  }
  absl::StatusOr<OperationWritten> WriteOperation(const Call& call,
                                                  const WorkerId& worker,
                                                  const OperationWrite& write) override {
    return store_.WriteOperation(call, worker, write);
  }
  absl::Status PostSignal(const Call& call, const OperationId& id, const Signal& signal) override {
    return store_.PostSignal(call, id, signal);
  }
  absl::StatusOr<EngineCounts> CountEngine(const Call& call, const WorkerId& worker) override {
    return store_.CountEngine(call, worker);
  }
  absl::StatusOr<bool> IsBuried(const Call& call, const GuestId& guest) override {
    return store_.IsBuried(call, guest);
  }
  absl::StatusOr<std::vector<Guest>> ListGuests(const Call& call,
                                                const std::string& placement_prefix) override {
    return store_.ListGuests(call, placement_prefix);
  }
  absl::Status RecordFinding(const Call& call, const Finding& finding) override {
    return store_.RecordFinding(call, finding);
  }
  absl::StatusOr<EnrolledGuest> EnrolGuest(const Call& call,
                                           const EnrolmentRequest& request) override {
    return store_.EnrolGuest(call, request);
  }
  absl::StatusOr<std::vector<int>> ClaimShards(const Call& call, const WorkerId& worker) override {
    return store_.ClaimShards(call, worker);
  }
  absl::StatusOr<std::vector<GuestSummary>> ListShard(const Call& call,
                                                      const std::vector<int>& shards) override {
    return store_.ListShard(call, shards);
  }
  absl::StatusOr<std::vector<OperationId>> RecordObservations(
      const Call& call, const std::vector<GuestObservation>& observations) override {
    return store_.RecordObservations(call, observations);
  }
  absl::Status RecordSilence(const Call& call,
                             const std::vector<std::pair<GuestId, absl::Time>>& silent) override {
    return store_.RecordSilence(call, silent);
  }
  absl::StatusOr<std::optional<OperationId>> RecordJobResult(const Call& call,
                                                             const JobResult& result) override {
    return store_.RecordJobResult(call, result);
  }
  absl::StatusOr<bool> HoldLease(const Call& call,
                                 const std::string& name,
                                 const WorkerId& worker,
                                 absl::Duration lease) override {
    return store_.HoldLease(call, name, worker, lease);
  }
  absl::StatusOr<std::vector<EventRecord>> StampEvents(const Call& call,
                                                       const WorkerId& worker,
                                                       int limit) override {
    return store_.StampEvents(call, worker, limit);
  }
  absl::Status MarkPublished(const Call& call,
                             const WorkerId& worker,
                             std::int64_t position) override {
    return store_.MarkPublished(call, worker, position);
  }
  absl::StatusOr<std::vector<EventRecord>> ReadEvents(const Call& call,
                                                      const EventFilter& filter,
                                                      std::int64_t position,
                                                      int limit) override {
    return store_.ReadEvents(call, filter, position, limit);
  }
  absl::StatusOr<std::int64_t> LastPosition(const Call& call) override {
    return store_.LastPosition(call);
  }
  absl::StatusOr<ConfigurationView> CreateConfiguration(
      const Call& call, const Requester& requester, const Configuration& configuration) override {
    return store_.CreateConfiguration(call, requester, configuration);
  }
  absl::StatusOr<ConfigurationView> GetConfiguration(const Call& call,
                                                     const std::optional<ProjectId>& project,
                                                     const ConfigurationId& id) override {
    return store_.GetConfiguration(call, project, id);
  }
  absl::StatusOr<ConfigurationPage> ListConfigurations(const Call& call,
                                                       const ProjectId& project,
                                                       const ConfigurationId& after,
                                                       int limit) override {
    return store_.ListConfigurations(call, project, after, limit);
  }
  absl::Status DeleteConfiguration(const Call& call,
                                   const Requester& requester,
                                   const ConfigurationId& id) override {
    return store_.DeleteConfiguration(call, requester, id);
  }
  absl::Status RecordAudit(const Call& call, const AuditEntry& entry) override {
    return store_.RecordAudit(call, entry);
  }
  absl::StatusOr<std::vector<AuditEntry>> ListAudit(const Call& call,
                                                    const AuditFilter& filter,
                                                    std::int64_t before,
                                                    int limit) override {
    return store_.ListAudit(call, filter, before, limit);
  }

 protected:
  Store& store_;
};

}  // namespace trove
