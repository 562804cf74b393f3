#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libtrove/base/clock.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/job_signing.h"
#include "libtrove/identity/sealing.h"
#include "libtrove/store/store.h"
#include "services/conductor/guest_watch.h"
#include "services/conductor/job_reports.h"
#include "services/taskmanager/task_manager.h"
#include "test/support/noop_provisioner.h"
#include "test/support/seeded_store.h"
#include "test/support/simulated_guests.h"
#include "test/support/temporary_directory.h"

namespace trove::taskmanager {

/// Task managers, a conductor and simulated guests on one store and one bus: everything of a mesh
/// but its doors and its databases. Each task manager has a store object of its own on the shared
/// file, as processes have. Aborts when something fails that no test is about. Used by one thread
/// at a time.
class SmallMesh {
 public:
  struct Buses {
    Bus* task_manager = nullptr;
    Bus* conductor = nullptr;
    Bus* guests = nullptr;
  };

  /// The buses must outlive this object.
  explicit SmallMesh(const Buses& buses, SimulatedGuests::Options guests = {});
  ~SmallMesh();

  /// Starts one more task manager.
  TaskManager& StartTaskManager();
  /// Stops the one that was started first.
  void StopTaskManager();

  /// A new instance with a database and a user whose password is `secret`; `prepare` may change
  /// what is asked for.
  NewInstance NewCreate(const std::string& project = "p1");
  void Create(const NewInstance& instance);
  OperationId Act(const InstanceId& instance, const std::string& kind, TaskStatus task);
  /// What `action` asks for, in project p1.
  OperationId Begin(const NewAction& action);
  OperationId Delete(const InstanceId& instance);
  absl::Status Cancel(const OperationId& operation);
  absl::Status Retry(const OperationId& operation);

  Operation Get(const OperationId& operation);
  absl::StatusOr<InstanceView> View(const InstanceId& instance);

  /// Whether the operation has ended within a test's patience.
  bool Ends(const OperationId& operation);
  bool BecomesActive(const NewInstance& instance);

  /// A second version of the datastore, to upgrade to.
  static DatastoreVersion NewerVersion();
  /// Everything that an operation may leave changed: what the store says of the instance and of its
  /// project's quotas, what its host has, how its server was told to be. For comparison.
  std::string Picture(const NewInstance& instance);

  TaskManager::Options options;  ///< of task managers that are started from now on
  /// May put something in front of the store of each of them. Null: nothing.
  std::function<std::unique_ptr<Store>(std::unique_ptr<Store>)> wrap_store;
  NoopProvisioner provisioner;
  std::unique_ptr<SimulatedGuests> guests;

  Store& store() { return *store_; }

 private:
  // Says that an operation is due, as the api does.
  void Wake(const OperationId& operation);

  const SystemClock clock_;
  TemporaryDirectory folder_;
  const Buses buses_;
  std::unique_ptr<Store> store_;
  const identity::MasterKey master_key_;
  const identity::JobSigner signer_;
  std::unique_ptr<conductor::GuestWatch> watch_;
  std::unique_ptr<conductor::JobReports> reports_;
  std::vector<std::unique_ptr<Store>> stores_;
  std::vector<std::unique_ptr<TaskManager>> task_managers_;
};

}  // namespace trove::taskmanager
