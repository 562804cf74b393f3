// Puts boundaries around the provisioner of a task manager that is otherwise the product's own: the
// linker sends main's call of TaskManager::Start here (--wrap). Leases are short when
// $FAULTS_LEASE_MS says so, so that a test need not wait long for a takeover.

#include <cstdlib>
#include <utility>

#include "services/taskmanager/task_manager.h"
#include "test/support/faults/faulty_provisioner.h"

#define TROVE_START                                                                \
  "_ZN5trove11taskmanager11TaskManager5StartERKNS_4CallERNS_5StoreERNS_3BusERNS0_" \
  "11ProvisionerERKNS_"                                                            \
  "5ClockENS_8identity9JobSignerENSE_9MasterKeyERKNS1_7OptionsE"

namespace trove::taskmanager {

absl::StatusOr<std::unique_ptr<TaskManager>> RealStart(
    const Call& call,
    Store& store,
    Bus& bus,
    Provisioner& provisioner,
    const Clock& clock,
    identity::JobSigner signer,
    identity::MasterKey master_key,
    const TaskManager::Options& options) __asm__("__real_" TROVE_START);

absl::StatusOr<std::unique_ptr<TaskManager>> StartWithFaults(
    const Call& call,
    Store& store,
    Bus& bus,
    Provisioner& provisioner,
    const Clock& clock,
    identity::JobSigner signer,
    identity::MasterKey master_key,
    const TaskManager::Options& options) __asm__("__wrap_" TROVE_START);

absl::StatusOr<std::unique_ptr<TaskManager>> StartWithFaults(const Call& call,
                                                             Store& store,
                                                             Bus& bus,
                                                             Provisioner& provisioner,
                                                             const Clock& clock,
                                                             identity::JobSigner signer,
                                                             identity::MasterKey master_key,
                                                             const TaskManager::Options& options) {
  static FaultyProvisioner faulty(provisioner);  // outlives the task manager
  TaskManager::Options changed = options;
  if (const char* lease = std::getenv("FAULTS_LEASE_MS")) {
    changed.lease.lease = absl::Milliseconds(std::atoi(lease));
    changed.lease.renew_every = changed.lease.lease / 4;
  }
  return RealStart(
      call, store, bus, faulty, clock, std::move(signer), std::move(master_key), changed);
}

}  // namespace trove::taskmanager
