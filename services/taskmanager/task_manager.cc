#include "services/taskmanager/task_manager.h"

#include <utility>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/bus/subject.h"

namespace trove::taskmanager {
namespace {

// A template is as large as an empty database, and there is one for each version.
constexpr absl::Duration kTemplatesTime = absl::Minutes(30);

Engine::Options EngineOptionsOn(const Provisioner& provisioner, Engine::Options options) {
  options.host = provisioner.placement_prefix();
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TaskManager>> TaskManager::Start(const Call& call,
                                                                Store& store,
                                                                Bus& bus,
                                                                Provisioner& provisioner,
                                                                const Clock& clock,
                                                                identity::JobSigner signer,
                                                                identity::MasterKey master_key,
                                                                const Options& options) {
  // Before any guest is placed: the ports of those that are there must not be given again.
  TROVE_RETURN_IF_ERROR(
      Annotate(ReclaimPlaces(call, store, provisioner), "claim ports and users again"));
  std::unique_ptr<TaskManager> made(new TaskManager(
      store, bus, provisioner, clock, std::move(signer), std::move(master_key), options));
  TROVE_RETURN_IF_ERROR(made->ListenForHints(call));
  return made;
}

TaskManager::TaskManager(Store& store,
                         Bus& bus,
                         Provisioner& provisioner,
                         const Clock& clock,
                         identity::JobSigner signer,
                         identity::MasterKey master_key,
                         const Options& options)
    : store_(store),
      bus_(bus),
      provisioner_(provisioner),
      jobs_(bus, std::move(signer), options.jobs),
      workflows_(InstanceWorkflows(
          {provisioner, jobs_, std::move(master_key), options.mesh, options.create_deadline})),
      lease_(store, options.lease),
      reconciler_(
          store, provisioner, lease_, {.mesh = options.mesh, .every = options.reconcile_every}),
      relay_(store, bus, lease_, {.source = "/trove/" + options.mesh_id}),
      janitor_(store, lease_, options.janitor),
      engine_(store, clock, workflows_, lease_, EngineOptionsOn(provisioner, options.engine)),
      templates_([this](const std::stop_token& stop) { BuildTemplates(stop); }) {
  reconciler_.Start();
}

TaskManager::~TaskManager() {
  Drain(absl::ZeroDuration());
}

absl::Status TaskManager::ListenForHints(const Call& call) {
  SubscribeOptions options;
  options.queue_group = "taskmanager";
  options.overflow = Overflow::kDropOldest;  // one hint is as good as many
  TROVE_ASSIGN_OR_RETURN(
      hints_.emplace_back(),
      bus_.Subscribe(call, TaskWakeSubject(), options, [this](const BusMessage& message) {
        mesh::v1::TaskWake wake;
        if (wake.ParseFromString(message.payload) && !wake.operation_id().empty())
          engine_.Wake(OperationId(wake.operation_id()));
        else
          engine_.Wake();
      }));
  hints_.push_back(bus_.OnReconnect([this] {
    engine_.Wake();
    relay_.Wake();
  }));
  return absl::OkStatus();
}

void TaskManager::Drain(absl::Duration grace) {
  hints_.clear();
  templates_.request_stop();
  reconciler_.Stop();
  relay_.Stop();
  janitor_.Stop();
  engine_.Drain(grace);
  if (templates_.joinable()) templates_.join();
}

absl::StatusOr<TaskManager::Status> TaskManager::GetStatus(const Call& call) {
  Status status;
  const std::shared_ptr<const WorkerTerm> term = lease_.Current();
  if (term != nullptr) {
    status.worker = term->id;
    status.lease_until = lease_.until();
  }
  TROVE_ASSIGN_OR_RETURN(status.counts, store_.CountEngine(call, status.worker));
  status.held = engine_.held();
  status.finished = engine_.finished();
  return status;
}

void TaskManager::BuildTemplates(const std::stop_token& stop) {
  const Call call = CallFor(kTemplatesTime, stop, "templates");
  const auto datastores = store_.ListDatastores(call);
  if (!datastores.ok()) {
    log_.Warning("cannot read the catalogue", {{"error", datastores.status()}});
    return;
  }
  std::vector<DatastoreVersion> versions;
  for (const Datastore& datastore : *datastores)
    for (const DatastoreVersion& version : datastore.versions)
      if (version.active) versions.push_back(version);
  const absl::Status built = provisioner_.PrepareTemplates(call, versions);
  if (!built.ok() && !stop.stop_requested())
    log_.Warning("not every template could be built ahead", {{"error", built}});
}

}  // namespace trove::taskmanager
