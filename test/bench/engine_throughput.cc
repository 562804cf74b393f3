#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/base/check.h"
#include "libtrove/base/executor.h"
#include "libtrove/base/mutex.h"
#include "libtrove/base/uuid.h"
#include "libtrove/identity/token.h"
#include "services/conductor/guest_watch.h"
#include "services/conductor/job_reports.h"
#include "services/taskmanager/task_manager.h"
#include "test/bench/engine_bench.h"
#include "test/support/forwarding_store.h"
#include "test/support/memory_bus.h"
#include "test/support/noop_provisioner.h"
#include "test/support/seeded_store.h"
#include "test/support/simulated_guests.h"
#include "test/support/temporary_directory.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr int kAcceptors = 4;

Call AnyCall() {
  return CallFor(kPatience);
}

identity::JobSigner NewSigner() {
  auto key = identity::PrivateKey::Generate(identity::KeyKind::kEd25519);
  TROVE_CHECK(key.ok());
  auto signer = identity::JobSigner::Make(*std::move(key));
  TROVE_CHECK(signer.ok());
  return *std::move(signer);
}

/// Tells when an operation has ended well.
class EndsStore final : public ForwardingStore {
 public:
  using Ended = std::function<void(const Operation&)>;
  EndsStore(Store& store, Ended ended) : ForwardingStore(store), ended_(std::move(ended)) {}

  absl::StatusOr<OperationWritten> WriteOperation(const Call& call,
                                                  const WorkerId& worker,
                                                  const OperationWrite& write) override {
    ++writes;
    auto written = store_.WriteOperation(call, worker, write);
    if (written.ok() && IsEnded(write.operation.state)) ended_(write.operation);
    return written;
  }
  absl::StatusOr<Claims> ClaimDue(const Call& call,
                                  const WorkerId& worker,
                                  const ClaimLimits& limits) override {
    ++claims;
    auto claimed = store_.ClaimDue(call, worker, limits);
    if (claimed.ok()) claimed_operations += static_cast<int>(claimed->operations.size());
    return claimed;
  }
  absl::StatusOr<OperationTarget> LoadTarget(const Call& call, const OperationId& id) override {
    ++targets;
    return store_.LoadTarget(call, id);
  }

  std::atomic<int> writes = 0;
  std::atomic<int> claims = 0;
  std::atomic<int> claimed_operations = 0;
  std::atomic<int> targets = 0;

 private:
  const Ended ended_;
};

/// A mesh in one process, and chains of operations on it: each begins when the one before it in its
/// chain has ended.
class Chains {
 public:
  Chains(bool restarts, int threads)
      : restarts_(restarts),
        api_store_(
            OpenSeededStore({.path = folder_ / "trove.db", .clock = &clock_, .checkpoint = true})),
        conductor_store_(OpenSeededStore(folder_ / "trove.db", clock_)),
        own_store_(OpenSeededStore(folder_ / "trove.db", clock_)),
        store_(*own_store_, [this](const Operation& operation) { OnEnded(operation); }),
        conductor_bus_(bus_.Peer()),
        guests_bus_(bus_.Peer()),
        guests_(*guests_bus_, GuestOptions()),
        watch_(*conductor_store_,
               *conductor_bus_,
               clock_,
               WorkerId("conductor"),
               absl::Minutes(10),
               Log()),
        reports_(*conductor_store_, *conductor_bus_, Log()),
        acceptors_("acceptors", kAcceptors, 1 << 16) {
    provisioner_.SetWatcher(&guests_);
    TROVE_CHECK(guests_.Listen(AnyCall()).ok());
    TROVE_CHECK(watch_.Start(AnyCall()).ok());
    TROVE_CHECK(reports_.Start(AnyCall()).ok());
    TaskManager::Options options;
    options.mesh_id = "0a1b2c3d";
    options.engine.threads = threads;
    options.mesh = {"127.0.0.1:1", "tls://127.0.0.1:2", "none"};
    auto started = TaskManager::Start(
        AnyCall(), store_, bus_, provisioner_, clock_, signer_, master_key_, options);
    TROVE_CHECK(started.ok());
    task_manager_ = *std::move(started);
  }
  ~Chains() {
    stopping_ = true;
    acceptors_.Drain();
    task_manager_.reset();
    provisioner_.SetWatcher(nullptr);
  }

  void Begin(int chains) {
    for (int i = 0; i < chains; ++i)
      Post([this] { Create(); });
  }

  EndsStore& store() { return store_; }
  std::int64_t EventsWaiting() {
    const auto counts = api_store_->CountEngine(AnyCall(), WorkerId("nobody"));
    TROVE_CHECK(counts.ok());
    return counts->events_waiting;
  }
  int ended() const { return ended_; }
  std::vector<double> TakeLatencies() {
    const MutexLock lock(mutex_);
    return std::exchange(latencies_, {});
  }

 private:
  SimulatedGuests::Options GuestOptions() {
    SimulatedGuests::Options options;
    options.heartbeat_every = absl::Seconds(5);
    auto verifier = identity::JobVerifier::FromPems({signer_.public_key_pem()});
    TROVE_CHECK(verifier.ok());
    options.verifier = *std::move(verifier);
    options.enrol = [this](const Call& call, const SimulatedGuests::Enrolment& enrolment) {
      EnrolmentRequest request;
      request.guest_id = enrolment.guest;
      request.token_hash = identity::HashToken(enrolment.token);
      request.keys_fingerprint = enrolment.nkey_public;
      request.nkey_public = enrolment.nkey_public;
      request.sealing_public_key = enrolment.sealing_public_key;
      return conductor_store_->EnrolGuest(call, request).status();
    };
    return options;
  }

  void Post(Executor::Task task) {
    if (!stopping_) acceptors_.Submit(std::move(task)).IgnoreError();  // only when it is ending
  }

  void Create() {
    NewInstance made =
        NewSeededInstance("p" + std::to_string(next_project_++ % 10), "instance.create");
    mesh::v1::OperationInput input;
    input.mutable_create()->add_databases()->set_name("shop");
    mesh::v1::RequestedUser& user = *input.mutable_create()->add_users();
    user.set_name("ann");
    auto sealed = master_key_.Seal(Secret("secret"), made.operation.id.value());
    TROVE_CHECK(sealed.ok());
    user.mutable_password()->set_box(*sealed);
    made.operation.input = input.SerializeAsString();
    Note(made.operation.id);
    TROVE_CHECK(
        api_store_
            ->CreateInstance(AnyCall(), SeededRequester(made.instance.project_id.value()), made)
            .ok());
    Hint(made.operation.id);
  }

  void Act(const InstanceId& instance, const ProjectId& project, bool remove) {
    const NewAction action =
        NewSeededAction(instance,
                        remove ? "instance.delete" : "instance.restart",
                        remove ? TaskStatus::kDeleting : TaskStatus::kRebooting);
    Note(action.operation.id);
    const Requester requester = SeededRequester(project.value());
    const auto accepted = remove ? api_store_->BeginDelete(AnyCall(), requester, action)
                                 : api_store_->BeginAction(AnyCall(), requester, action);
    if (!accepted.ok()) std::fprintf(stderr, "%s\n", accepted.status().ToString().c_str());
    TROVE_CHECK(accepted.ok());
    Hint(action.operation.id);
  }

  void Note(const OperationId& id) {
    const MutexLock lock(mutex_);
    begun_[id] = absl::Now();
  }

  void Hint(const OperationId& id) {
    mesh::v1::TaskWake wake;
    wake.set_operation_id(id.value());
    conductor_bus_->Publish(AnyCall(), TaskWakeSubject(), wake.SerializeAsString()).IgnoreError();
  }

  void OnEnded(const Operation& operation) {
    if (operation.state != OperationState::kSucceeded)
      std::fprintf(stderr, "%s failed: %s\n", operation.kind.c_str(), operation.error.c_str());
    TROVE_CHECK(operation.state == OperationState::kSucceeded);
    {
      const MutexLock lock(mutex_);
      latencies_.push_back(absl::ToDoubleMilliseconds(absl::Now() - begun_[operation.id]));
      begun_.erase(operation.id);
    }
    ++ended_;
    if (operation.kind == "instance.delete") {
      Post([this] { Create(); });
    } else {
      Post([this, instance = operation.instance_id, project = operation.project_id] {
        Act(instance, project, !restarts_);
      });
    }
  }

  const bool restarts_;
  const SystemClock clock_;
  const TemporaryDirectory folder_;
  const identity::MasterKey master_key_ = identity::MasterKey::Generate();
  const identity::JobSigner signer_ = NewSigner();
  std::unique_ptr<Store> api_store_;
  std::unique_ptr<Store> conductor_store_;
  std::unique_ptr<Store> own_store_;
  EndsStore store_;
  MemoryBus bus_;
  std::unique_ptr<MemoryBus> conductor_bus_;
  std::unique_ptr<MemoryBus> guests_bus_;
  NoopProvisioner provisioner_;
  SimulatedGuests guests_;
  conductor::GuestWatch watch_;
  conductor::JobReports reports_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> next_project_ = 0;
  std::atomic<int> ended_ = 0;
  Mutex mutex_;
  std::map<OperationId, absl::Time> begun_ TROVE_GUARDED_BY(mutex_);
  std::vector<double> latencies_ TROVE_GUARDED_BY(mutex_);
  Executor acceptors_;
  std::unique_ptr<TaskManager> task_manager_;
};

}  // namespace

int MeasureThroughput(bool restarts, absl::Duration length, int chains, int threads) {
  Chains running(restarts, threads);
  running.Begin(chains);
  // Until every chain is well under way.
  while (running.ended() < chains * 2)
    absl::SleepFor(absl::Milliseconds(20));
  running.TakeLatencies();
  const absl::Time began = absl::Now();
  const int ended_before = running.ended();
  const double cpu_before = CpuSeconds();
  const auto by_thread_before = CpuSecondsByThread();
  const int writes = running.store().writes;
  const int claims = running.store().claims;
  const int claimed = running.store().claimed_operations;
  const int targets = running.store().targets;
  absl::SleepFor(length);
  const int ended = running.ended() - ended_before;
  const std::int64_t events_waiting = running.EventsWaiting();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  const double cpu = CpuSeconds() - cpu_before;
  const std::vector<double> latencies = running.TakeLatencies();
  std::string by_thread;
  for (const auto& [name, spent] : CpuSecondsByThread()) {
    const auto before = by_thread_before.find(name);
    const double ms =
        (spent - (before == by_thread_before.end() ? 0 : before->second)) * 1e3 / ended;
    if (ms < 0.005) continue;
    char text[96];
    std::snprintf(
        text, sizeof text, "%s\"%s\": %.3f", by_thread.empty() ? "" : ", ", name.c_str(), ms);
    by_thread += text;
  }
  std::printf(
      "{\"operations\": %d, \"per_second\": %.1f, \"cpu_ms\": %.3f, \"p50_ms\": %.1f, "
      "\"p99_ms\": %.1f, \"writes\": %.2f, \"claims\": %.2f, \"claimed\": %.2f, "
      "\"targets\": %.2f, \"events_waiting\": %lld, \"cpu_ms_by_thread\": {%s}}\n",
      ended,
      ended / seconds,
      cpu * 1e3 / ended,
      Percentile(latencies, 0.5),
      Percentile(latencies, 0.99),
      static_cast<double>(running.store().writes - writes) / ended,
      static_cast<double>(running.store().claims - claims) / ended,
      static_cast<double>(running.store().claimed_operations - claimed) / ended,
      static_cast<double>(running.store().targets - targets) / ended,
      static_cast<long long>(events_waiting),
      by_thread.c_str());
  std::fflush(stdout);
  return 0;
}

}  // namespace trove::taskmanager
