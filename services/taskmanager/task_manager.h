#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "libtrove/base/clock.h"
#include "libtrove/base/log.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/job_signing.h"
#include "libtrove/identity/sealing.h"
#include "libtrove/store/store.h"
#include "services/taskmanager/engine.h"
#include "services/taskmanager/event_relay.h"
#include "services/taskmanager/janitor.h"
#include "services/taskmanager/jobs.h"
#include "services/taskmanager/provisioner.h"
#include "services/taskmanager/reconciler.h"
#include "services/taskmanager/worker_lease.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {

/// Everything that a task manager does, over its seams: the engine with its workflows, the event
/// relay, reconciliation, templates and the forgetting of old rows. Thread-safe.
class TaskManager {
 public:
  struct Options {
    std::string mesh_id;
    MeshAccess mesh;
    absl::Duration create_deadline = absl::Minutes(10);
    Engine::Options engine;  ///< `host` is set to the provisioner's
    Jobs::Options jobs;
    WorkerLease::Options lease;
    absl::Duration reconcile_every = absl::Minutes(1);
    Janitor::Options janitor;
  };

  /// How it is, for operators.
  struct Status {
    WorkerId worker;  ///< empty: not registered at the moment
    absl::Time lease_until = absl::InfinitePast();
    std::int64_t held = 0;
    std::int64_t finished = 0;
    EngineCounts counts;
  };

  /// Claims again what the host gave to stored guests, then begins to work. The seams must outlive
  /// the result. Errors: the store cannot be read; the hints cannot be heard.
  static absl::StatusOr<std::unique_ptr<TaskManager>> Start(const Call& call,
                                                            Store& store,
                                                            Bus& bus,
                                                            Provisioner& provisioner,
                                                            const Clock& clock,
                                                            identity::JobSigner signer,
                                                            identity::MasterKey master_key,
                                                            const Options& options);

  /// As Drain without grace.
  ~TaskManager();
  TaskManager(const TaskManager&) = delete;
  TaskManager& operator=(const TaskManager&) = delete;

  /// Stops in order: begins nothing new, gives running steps `grace` to end, gives back what it
  /// holds. May be called again.
  void Drain(absl::Duration grace);

  absl::StatusOr<Status> GetStatus(const Call& call);

 private:
  TaskManager(Store& store,
              Bus& bus,
              Provisioner& provisioner,
              const Clock& clock,
              identity::JobSigner signer,
              identity::MasterKey master_key,
              const Options& options);

  absl::Status ListenForHints(const Call& call);
  void BuildTemplates(const std::stop_token& stop);

  Store& store_;
  Bus& bus_;
  Provisioner& provisioner_;
  const Log log_;
  Jobs jobs_;
  const Workflows workflows_;
  WorkerLease lease_;
  Reconciler reconciler_;
  EventRelay relay_;
  Janitor janitor_;
  Engine engine_;
  std::vector<std::unique_ptr<Subscription>> hints_;
  std::jthread templates_;
};

}  // namespace trove::taskmanager
