#include "libtrove/store/sqlite_store.h"

#include <optional>
#include <type_traits>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/accept.h"
#include "libtrove/store/sqlite/audit.h"
#include "libtrove/store/sqlite/catalogue.h"
#include "libtrove/store/sqlite/checkpointer.h"
#include "libtrove/store/sqlite/claims.h"
#include "libtrove/store/sqlite/configurations.h"
#include "libtrove/store/sqlite/control.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/findings.h"
#include "libtrove/store/sqlite/guests.h"
#include "libtrove/store/sqlite/observations.h"
#include "libtrove/store/sqlite/operation_list.h"
#include "libtrove/store/sqlite/operations.h"
#include "libtrove/store/sqlite/outcome.h"
#include "libtrove/store/sqlite/purge.h"
#include "libtrove/store/sqlite/quotas.h"
#include "libtrove/store/sqlite/reader_pool.h"
#include "libtrove/store/sqlite/schema.h"
#include "libtrove/store/sqlite/shards.h"
#include "libtrove/store/sqlite/signals.h"
#include "libtrove/store/sqlite/tokens.h"
#include "libtrove/store/sqlite/views.h"
#include "libtrove/store/sqlite/workers.h"
#include "libtrove/store/sqlite/write_queue.h"

namespace trove {
namespace {

using sqlite::Transaction;

constexpr char kMemory[] = ":memory:";

/// What a unit of work returns, without the StatusOr.
template <typename Work>
using ResultOf = typename std::invoke_result_t<Work, Transaction&>::value_type;

class SqliteStore final : public Store {
 public:
  SqliteStore(std::unique_ptr<sqlite::Connection> writer,
              std::unique_ptr<sqlite::FileLock> lock,
              std::unique_ptr<sqlite::ReaderPool> readers,
              std::unique_ptr<sqlite::Checkpointer> checkpointer,
              const Clock& clock)
      : clock_(clock),
        checkpointer_(std::move(checkpointer)),
        readers_(std::move(readers)),
        writes_(std::move(writer), std::move(lock), clock) {}

  absl::Status ImportCatalogue(const Call& call, const Catalogue& catalogue) override {
    return Do(call, [=](Transaction& tx) { return sqlite::ImportCatalogue(tx, catalogue); });
  }
  absl::StatusOr<std::vector<Datastore>> ListDatastores(const Call& call) override {
    return Read(call, [](Transaction& tx) { return sqlite::ListDatastores(tx); });
  }
  absl::StatusOr<std::vector<Flavor>> ListFlavors(const Call& call) override {
    return Read(call, [](Transaction& tx) { return sqlite::ListFlavors(tx); });
  }

  absl::Status PutToken(const Call& call, const TokenRecord& token) override {
    return Do(call, [=](Transaction& tx) { return sqlite::PutToken(tx, token); });
  }
  absl::StatusOr<std::string> PutTokenOnce(const Call& call,
                                           const Requester& requester,
                                           const TokenRecord& token,
                                           const std::string& answer) override {
    return Write(
        call, [=](Transaction& tx) { return sqlite::PutTokenOnce(tx, requester, token, answer); });
  }
  absl::StatusOr<TokenRecord> FindToken(const Call& call, const std::string& hash) override {
    return Read(call, [=](Transaction& tx) { return sqlite::FindToken(tx, hash); });
  }

  absl::StatusOr<InstanceView> GetInstance(const Call& call,
                                           const std::optional<ProjectId>& project,
                                           const InstanceId& id) override {
    return Read(call, [=](Transaction& tx) { return sqlite::GetInstance(tx, project, id); });
  }
  absl::StatusOr<InstancePage> ListInstances(const Call& call,
                                             const ProjectId& project,
                                             const InstanceId& after,
                                             int limit) override {
    return Read(call,
                [=](Transaction& tx) { return sqlite::ListInstances(tx, project, after, limit); });
  }
  absl::StatusOr<std::vector<Quota>> GetQuotas(const Call& call,
                                               const ProjectId& project) override {
    return ReadTogether(call, [=](Transaction& tx) { return sqlite::GetQuotas(tx, project); });
  }
  absl::StatusOr<Accepted> CreateInstance(const Call& call,
                                          const Requester& requester,
                                          const NewInstance& instance) override {
    return Write(call,
                 [=](Transaction& tx) { return sqlite::CreateInstance(tx, requester, instance); });
  }
  absl::StatusOr<Accepted> BeginAction(const Call& call,
                                       const Requester& requester,
                                       const NewAction& action) override {
    return Write(call, [=](Transaction& tx) { return sqlite::BeginAction(tx, requester, action); });
  }
  absl::StatusOr<Accepted> BeginDelete(const Call& call,
                                       const Requester& requester,
                                       const NewAction& action) override {
    return Write(call, [=](Transaction& tx) { return sqlite::BeginDelete(tx, requester, action); });
  }
  absl::StatusOr<std::optional<Accepted>> FindAnswer(const Call& call,
                                                     const Requester& requester) override {
    return ReadTogether(call, [=](Transaction& tx) { return sqlite::FindAnswer(tx, requester); });
  }
  absl::StatusOr<Accepted> RenameInstance(const Call& call,
                                          const Requester& requester,
                                          const InstanceId& id,
                                          const std::string& name) override {
    return Write(call,
                 [=](Transaction& tx) { return sqlite::RenameInstance(tx, requester, id, name); });
  }

  absl::StatusOr<Operation> GetOperation(const Call& call,
                                         const std::optional<ProjectId>& project,
                                         const OperationId& id) override {
    return ReadTogether(call,
                        [=](Transaction& tx) { return sqlite::GetOperation(tx, project, id); });
  }
  absl::StatusOr<OperationPage> ListOperations(const Call& call,
                                               const OperationFilter& filter,
                                               const std::string& after,
                                               int limit) override {
    return ReadTogether(
        call, [=](Transaction& tx) { return sqlite::ListOperations(tx, filter, after, limit); });
  }
  absl::StatusOr<Operation> CancelOperation(const Call& call,
                                            const Requester& requester,
                                            const OperationId& id) override {
    return Write(call, [=](Transaction& tx) { return sqlite::CancelOperation(tx, requester, id); });
  }
  absl::StatusOr<Operation> RetryOperation(const Call& call,
                                           const Requester& requester,
                                           const OperationId& id) override {
    return Write(call, [=](Transaction& tx) { return sqlite::RetryOperation(tx, requester, id); });
  }
  absl::StatusOr<StepDurations> GetStepDurations(const Call& call,
                                                 const std::string& kind,
                                                 const DatastoreId& datastore,
                                                 int limit) override {
    return Read(call, [=](Transaction& tx) {
      return sqlite::GetStepDurations(tx, kind, datastore, limit);
    });
  }
  absl::StatusOr<int> Purge(const Call& call, const Retention& kept, int limit) override {
    return Write(call, [=](Transaction& tx) { return sqlite::Purge(tx, kept, limit); });
  }

  absl::Status RenewWorker(const Call& call,
                           const WorkerId& worker,
                           absl::Duration lease) override {
    return Do(call, [=](Transaction& tx) { return sqlite::RenewWorker(tx, worker, lease); });
  }
  absl::Status ReleaseWorker(const Call& call, const WorkerId& worker) override {
    return Do(call, [=](Transaction& tx) { return sqlite::ReleaseWorker(tx, worker); });
  }
  absl::StatusOr<Claims> ClaimDue(const Call& call,
                                  const WorkerId& worker,
                                  const ClaimLimits& limits) override {
    // Asked each second by everyone: mostly there is nothing, and then no writer is disturbed.
    TROVE_ASSIGN_OR_RETURN(std::optional<Claims> none, ReadTogether(call, [=](Transaction& tx) {
                             return sqlite::NothingDue(tx, worker, limits);
                           }));
    if (none) return *std::move(none);
    return Write(call, [=](Transaction& tx) { return sqlite::ClaimDue(tx, worker, limits); });
  }
  absl::StatusOr<OperationTarget> LoadTarget(const Call& call, const OperationId& id) override {
    return ReadTogether(call, [=](Transaction& tx) { return sqlite::LoadTarget(tx, id); });
  }
  absl::StatusOr<OperationWritten> WriteOperation(const Call& call,
                                                  const WorkerId& worker,
                                                  const OperationWrite& write) override {
    return Write(call, [=](Transaction& tx) { return sqlite::WriteOperation(tx, worker, write); });
  }
  absl::Status PostSignal(const Call& call, const OperationId& id, const Signal& signal) override {
    return Do(call, [=](Transaction& tx) {
      return sqlite::PostSignal(tx, id, signal.name, signal.payload).status();
    });
  }
  absl::StatusOr<EngineCounts> CountEngine(const Call& call, const WorkerId& worker) override {
    return Read(call, [=](Transaction& tx) { return sqlite::CountEngine(tx, worker); });
  }
  absl::StatusOr<bool> IsBuried(const Call& call, const GuestId& guest) override {
    return Read(call, [=](Transaction& tx) { return sqlite::IsBuried(tx, guest); });
  }
  absl::StatusOr<std::vector<Guest>> ListGuests(const Call& call,
                                                const std::string& placement_prefix) override {
    return Read(call, [=](Transaction& tx) { return sqlite::ListGuests(tx, placement_prefix); });
  }
  absl::Status RecordFinding(const Call& call, const Finding& finding) override {
    return Do(call, [=](Transaction& tx) { return sqlite::RecordFinding(tx, finding); });
  }

  absl::StatusOr<EnrolledGuest> EnrolGuest(const Call& call,
                                           const EnrolmentRequest& request) override {
    return Write(call, [=](Transaction& tx) { return sqlite::EnrolGuest(tx, request); });
  }
  absl::StatusOr<std::vector<int>> ClaimShards(const Call& call, const WorkerId& worker) override {
    TROVE_ASSIGN_OR_RETURN(
        std::optional<std::vector<int>> settled,
        ReadTogether(call, [=](Transaction& tx) { return sqlite::ShardsSettled(tx, worker); }));
    if (settled) return *std::move(settled);
    return Write(call, [=](Transaction& tx) { return sqlite::ClaimShards(tx, worker); });
  }
  absl::StatusOr<std::vector<GuestSummary>> ListShard(const Call& call,
                                                      const std::vector<int>& shards) override {
    return ReadTogether(call, [=](Transaction& tx) { return sqlite::ListShard(tx, shards); });
  }
  absl::StatusOr<std::vector<OperationId>> RecordObservations(
      const Call& call, const std::vector<GuestObservation>& observations) override {
    if (observations.empty()) return std::vector<OperationId>();
    return Write(call,
                 [=](Transaction& tx) { return sqlite::RecordObservations(tx, observations); });
  }
  absl::Status RecordSilence(const Call& call,
                             const std::vector<std::pair<GuestId, absl::Time>>& silent) override {
    if (silent.empty()) return absl::OkStatus();
    return Do(call, [=](Transaction& tx) { return sqlite::RecordSilence(tx, silent); });
  }
  absl::StatusOr<std::optional<OperationId>> RecordJobResult(const Call& call,
                                                             const JobResult& result) override {
    return Write(call, [=](Transaction& tx) { return sqlite::RecordJobResult(tx, result); });
  }

  absl::StatusOr<bool> HoldLease(const Call& call,
                                 const std::string& name,
                                 const WorkerId& worker,
                                 absl::Duration lease) override {
    return Write(call, [=](Transaction& tx) { return sqlite::HoldLease(tx, name, worker, lease); });
  }
  absl::StatusOr<std::vector<EventRecord>> StampEvents(const Call& call,
                                                       const WorkerId& worker,
                                                       int limit) override {
    TROVE_ASSIGN_OR_RETURN(const bool waits, ReadTogether(call, [=](Transaction& tx) {
                             return sqlite::EventsWait(tx, worker);
                           }));
    if (!waits) return std::vector<EventRecord>();
    return Write(call, [=](Transaction& tx) { return sqlite::StampEvents(tx, worker, limit); });
  }
  absl::Status MarkPublished(const Call& call,
                             const WorkerId& worker,
                             std::int64_t position) override {
    return Do(call, [=](Transaction& tx) { return sqlite::MarkPublished(tx, worker, position); });
  }
  absl::StatusOr<std::vector<EventRecord>> ReadEvents(const Call& call,
                                                      const EventFilter& filter,
                                                      std::int64_t position,
                                                      int limit) override {
    return ReadTogether(
        call, [=](Transaction& tx) { return sqlite::ReadEvents(tx, filter, position, limit); });
  }
  absl::StatusOr<std::int64_t> LastPosition(const Call& call) override {
    return Read(call, [](Transaction& tx) { return sqlite::LastPosition(tx); });
  }

  absl::StatusOr<ConfigurationView> CreateConfiguration(
      const Call& call, const Requester& requester, const Configuration& configuration) override {
    return Write(call, [=](Transaction& tx) {
      return sqlite::CreateConfiguration(tx, requester, configuration);
    });
  }
  absl::StatusOr<ConfigurationView> GetConfiguration(const Call& call,
                                                     const std::optional<ProjectId>& project,
                                                     const ConfigurationId& id) override {
    return Read(call, [=](Transaction& tx) { return sqlite::GetConfiguration(tx, project, id); });
  }
  absl::StatusOr<ConfigurationPage> ListConfigurations(const Call& call,
                                                       const ProjectId& project,
                                                       const ConfigurationId& after,
                                                       int limit) override {
    return Read(call, [=](Transaction& tx) {
      return sqlite::ListConfigurations(tx, project, after, limit);
    });
  }
  absl::Status DeleteConfiguration(const Call& call,
                                   const Requester& requester,
                                   const ConfigurationId& id) override {
    return Do(call,
              [=](Transaction& tx) { return sqlite::DeleteConfiguration(tx, requester, id); });
  }

  absl::Status RecordAudit(const Call& call, const AuditEntry& entry) override {
    return Do(call, [=](Transaction& tx) { return sqlite::RecordAudit(tx, entry); });
  }
  absl::StatusOr<std::vector<AuditEntry>> ListAudit(const Call& call,
                                                    const AuditFilter& filter,
                                                    std::int64_t before,
                                                    int limit) override {
    return Read(call,
                [=](Transaction& tx) { return sqlite::ListAudit(tx, filter, before, limit); });
  }

 private:
  // A caller may leave before its work is done: the work owns what it needs, and shares the place
  // for its result.
  template <typename Work>
  absl::StatusOr<ResultOf<Work>> Write(const Call& call, Work work) {
    const auto result = std::make_shared<std::optional<ResultOf<Work>>>();
    TROVE_RETURN_IF_ERROR(
        writes_.Run(call, [result, work = std::move(work)](Transaction& tx) -> absl::Status {
          TROVE_ASSIGN_OR_RETURN(*result, work(tx));
          return absl::OkStatus();
        }));
    return *std::move(*result);
  }

  template <typename Work>
  absl::Status Do(const Call& call, Work work) {
    return writes_.Run(call, std::move(work));
  }

  // A read of one statement, which needs no transaction around it.
  template <typename Work>
  absl::StatusOr<ResultOf<Work>> Read(const Call& call, Work work) {
    if (readers_ == nullptr) return Write(call, std::move(work));
    TROVE_ASSIGN_OR_RETURN(sqlite::ReaderPool::Lease lease, readers_->Take(call));
    Transaction tx{lease.db(), sqlite::StoreNow(clock_)};
    return work(tx);
  }

  // A read of several statements that see the same state.
  template <typename Work>
  absl::StatusOr<ResultOf<Work>> ReadTogether(const Call& call, Work work) {
    if (readers_ == nullptr) return Write(call, std::move(work));
    TROVE_ASSIGN_OR_RETURN(sqlite::ReaderPool::Lease lease, readers_->Take(call));
    TROVE_RETURN_IF_ERROR(lease.db().Execute("BEGIN"));
    Transaction tx{lease.db(), sqlite::StoreNow(clock_)};
    absl::StatusOr<ResultOf<Work>> result = work(tx);
    lease.db().Execute("ROLLBACK").IgnoreError();  // it changed nothing
    return result;
  }

  const Clock& clock_;
  const std::unique_ptr<sqlite::Checkpointer> checkpointer_;
  const std::unique_ptr<sqlite::ReaderPool> readers_;  // null: reads take turns with writes
  sqlite::WriteQueue writes_;
};

absl::StatusOr<std::unique_ptr<sqlite::Connection>> OpenMemory(const Clock& clock) {
  TROVE_ASSIGN_OR_RETURN(auto db, sqlite::Connection::Open(kMemory, sqlite::OpenMode::kCreate));
  TROVE_RETURN_IF_ERROR(sqlite::ApplyMigrations(*db, clock.Now()));
  return db;
}

absl::StatusOr<std::unique_ptr<sqlite::Checkpointer>> StartCheckpointer(
    const SqliteStoreOptions& options) {
  if (!options.checkpoint) return nullptr;
  TROVE_ASSIGN_OR_RETURN(auto db,
                         sqlite::Connection::Open(options.path, sqlite::OpenMode::kReadWrite));
  TROVE_ASSIGN_OR_RETURN(auto lock, sqlite::FileLock::Open(options.path));
  return std::make_unique<sqlite::Checkpointer>(options.path,
                                                std::move(db),
                                                std::move(lock),
                                                options.checkpoint_interval,
                                                options.truncate_interval);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const SqliteStoreOptions& options) {
  static const SystemClock kSystemClock;
  const Clock& clock = options.clock != nullptr ? *options.clock : kSystemClock;
  if (options.path == kMemory) {
    TROVE_ASSIGN_OR_RETURN(auto db, OpenMemory(clock));
    return std::make_unique<SqliteStore>(std::move(db), nullptr, nullptr, nullptr, clock);
  }
  TROVE_ASSIGN_OR_RETURN(auto db,
                         sqlite::Connection::Open(options.path, sqlite::OpenMode::kReadWrite));
  TROVE_RETURN_IF_ERROR(sqlite::CheckSchema(*db, options.path));
  TROVE_ASSIGN_OR_RETURN(auto lock, sqlite::FileLock::Open(options.path));
  TROVE_ASSIGN_OR_RETURN(auto checkpointer, StartCheckpointer(options));
  return std::make_unique<SqliteStore>(std::move(db),
                                       std::move(lock),
                                       std::make_unique<sqlite::ReaderPool>(options.path),
                                       std::move(checkpointer),
                                       clock);
}

}  // namespace trove
