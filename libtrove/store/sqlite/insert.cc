#include "libtrove/store/sqlite/insert.h"

#include <string>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/configurations.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/operations.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/store.h"

namespace trove::sqlite {
namespace {

absl::Status CheckCatalogue(Transaction& tx, const Instance& instance) {
  Statement row(tx.db,
                "SELECT EXISTS (SELECT 1 FROM datastore_versions WHERE id = ?), "
                "EXISTS (SELECT 1 FROM flavors WHERE id = ?)",
                instance.version_id,
                instance.flavor_id);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  bool version = false;
  bool flavor = false;
  row.Read(version, flavor);
  if (!version) {
    return MakeError(Reason::kVersionUnknown,
                     "datastore version " + instance.version_id.value() + " does not exist");
  }
  if (!flavor) {
    return MakeError(Reason::kFlavorUnknown,
                     "flavor " + instance.flavor_id.value() + " does not exist");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status InsertInstance(Transaction& tx,
                            const Requester& requester,
                            const NewInstance& wanted) {
  const Instance& i = wanted.instance;
  TROVE_RETURN_IF_ERROR(CheckCatalogue(tx, i));
  if (i.configuration_id) {
    TROVE_RETURN_IF_ERROR(
        AttachEvent(tx, "attached", {*i.configuration_id, i.project_id, i.id}, requester.user));
  }
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "INSERT INTO instances (id, project_id, name, version_id, flavor_id, "
          "volume_size_gib, is_public, allowed_cidrs, region, system, task, service, "
          "service_updated_at, created_at, updated_at, version, configuration_id) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?13, 1, ?14)",
          i.id,
          i.project_id,
          i.name,
          i.version_id,
          i.flavor_id,
          i.volume_size_gib,
          i.access.is_public,
          i.access.allowed_cidrs,
          i.region,
          i.system,
          TaskStatus::kBuilding,
          ServiceStatus::kNew,
          tx.now,
          i.configuration_id));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "INSERT INTO guests (id, instance_id, ordinal, shard, service) "
                            "VALUES (?, ?, 0, ?, ?)",
                            wanted.guest_id,
                            i.id,
                            ShardOf(wanted.guest_id),
                            ServiceStatus::kNew));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "INSERT INTO volumes (id, instance_id, guest_id, size_gib, state) "
                            "VALUES (?, ?, ?, ?, ?)",
                            wanted.volume_id,
                            i.id,
                            wanted.guest_id,
                            i.volume_size_gib,
                            VolumeState::kPending));
  return Run(tx.db,
             "INSERT INTO endpoints (id, instance_id, guest_id, purpose) "
             "VALUES (?, ?, ?, 'primary')",
             wanted.endpoint_id,
             i.id,
             wanted.guest_id);
}

absl::Status InsertOperation(Transaction& tx,
                             const Requester& requester,
                             const AcceptedOperation& accepted) {
  const Operation& o = accepted.operation;
  const Instance& i = accepted.instance;
  // What failed before it is not taken up again.
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE operations SET input_lost = 1 WHERE id IN "
                            "(SELECT n.operation_id FROM operations f JOIN operation_inputs n "
                            "ON n.operation_id = f.id WHERE f.instance_id = ? AND f.state = 6)",
                            i.id));
  if (tx.db.changes() > 0) {
    TROVE_RETURN_IF_ERROR(Run(tx.db,
                              "DELETE FROM operation_inputs WHERE operation_id IN "
                              "(SELECT id FROM operations WHERE instance_id = ? AND state = 6)",
                              i.id));
  }
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "INSERT INTO operations (id, project_id, instance_id, kind, workflow_version, state, "
          "current_step, due_at, deadline, reason, awaited_signal, error, help, requested_by, "
          "request_id, cancel_requested, created_at, updated_at, version, memory, cancellable, "
          "datastore_id, accepted_at, accepted_task, accepted_service, locks) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, '', '', '', '', ?9, ?10, 0, ?7, ?7, 1, ?11, "
          "?12, coalesce((SELECT datastore_id FROM datastore_versions WHERE id = ?13), ''), ?7, "
          "?14, ?15, ?16)",
          o.id,
          i.project_id,
          i.id,
          o.kind,
          o.workflow_version,
          OperationState::kPending,
          tx.now,
          o.deadline,
          requester.user,
          requester.request_id,
          Blob{o.memory},
          o.cancellable,
          i.version_id,
          accepted.task,
          accepted.service,
          LinesOf(accepted.locks)));
  TROVE_RETURN_IF_ERROR(InsertSteps(tx, o));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "INSERT INTO operation_inputs (operation_id, input) VALUES (?, ?)",
                            o.id,
                            Blob{o.input}));
  TROVE_RETURN_IF_ERROR(TakeLocks(tx, o.id, i.id, accepted.locks));
  return OperationEvent(tx,
                        "accepted",
                        {.id = o.id,
                         .project_id = i.project_id,
                         .instance_id = i.id,
                         .kind = o.kind,
                         .step = o.steps.empty() ? std::string_view() : o.steps.front().name,
                         .version = 1},
                        requester.user);
}

}  // namespace trove::sqlite
