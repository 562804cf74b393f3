#include "libtrove/store/sqlite/operations.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/views.h"

namespace trove::sqlite {
namespace {

absl::Status OperationNotFound(const OperationId& id) {
  return MakeError(Reason::kOperationNotFound, "operation " + id.value() + " cannot be found");
}

absl::Status LoadSteps(Transaction& tx, Operation& operation) {
  static const std::string kSql = std::string("SELECT ") + kStepColumns +
                                  " FROM operation_steps s WHERE s.operation_id = ? "
                                  "ORDER BY s.position";
  Statement row(tx.db, kSql, operation.id);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return absl::OkStatus();
    Read(row, operation.steps.emplace_back());
  }
}

// One row by `sql`, whose only parameter is `id`; kInternal names what is missing: the schema
// promises that it is there.
template <typename Record, typename Key>
absl::StatusOr<Record> LoadOne(Transaction& tx,
                               const std::string& sql,
                               const Key& id,
                               const char* what) {
  Statement row(tx.db, sql, id);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found)
    return absl::InternalError(std::string("store: there is no ") + what + " of " + id.value());
  Record record;
  Read(row, record);
  return record;
}

}  // namespace

absl::StatusOr<Operation> GetOperation(Transaction& tx,
                                       const std::optional<ProjectId>& project,
                                       const OperationId& id) {
  static const std::string kSql =
      std::string("SELECT ") + kOperationColumns + " FROM operations o WHERE o.id = ?";
  Operation operation;
  {
    Statement row(tx.db, kSql, id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (found) Read(row, operation);
    if (!found || (project && operation.project_id != *project)) return OperationNotFound(id);
  }
  TROVE_RETURN_IF_ERROR(LoadSteps(tx, operation));
  return operation;
}

absl::StatusOr<Operation> LoadOperation(Transaction& tx, const OperationId& id) {
  TROVE_ASSIGN_OR_RETURN(Operation operation, GetOperation(tx, std::nullopt, id));
  Statement row(tx.db,
                "SELECT o.memory, i.input FROM operations o "
                "LEFT JOIN operation_inputs i ON i.operation_id = o.id WHERE o.id = ?",
                id);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  row.Read(operation.memory, operation.input);
  return operation;
}

absl::StatusOr<OperationTarget> LoadTarget(Transaction& tx, const OperationId& id) {
  static const std::string kVersion = std::string("SELECT ") + kVersionColumns +
                                      " FROM datastore_versions v JOIN datastores d "
                                      "ON d.id = v.datastore_id WHERE v.id = ?";
  static const std::string kFlavor =
      std::string("SELECT ") + kFlavorColumns + " FROM flavors f WHERE f.id = ?";
  static const std::string kGuest = std::string("SELECT ") + kGuestColumns +
                                    " FROM guests g WHERE g.instance_id = ? AND g.ordinal = 0";
  static const std::string kVolume =
      std::string("SELECT ") + kVolumeColumns + " FROM volumes vol WHERE vol.guest_id = ?";
  static const std::string kEndpoint =
      std::string("SELECT ") + kEndpointColumns +
      " FROM endpoints e WHERE e.instance_id = ? AND e.purpose = 'primary'";
  TROVE_ASSIGN_OR_RETURN(const Operation operation, GetOperation(tx, std::nullopt, id));
  OperationTarget target;
  TROVE_ASSIGN_OR_RETURN(const auto instance, FindInstance(tx, operation.instance_id));
  if (!instance) return InstanceNotFound(tx, std::nullopt, operation.instance_id);
  target.instance = *instance;
  TROVE_ASSIGN_OR_RETURN(
      target.version,
      LoadOne<DatastoreVersion>(tx, kVersion, instance->version_id, "datastore version"));
  TROVE_ASSIGN_OR_RETURN(target.flavor,
                         LoadOne<Flavor>(tx, kFlavor, instance->flavor_id, "flavor"));
  TROVE_ASSIGN_OR_RETURN(target.guest, LoadOne<Guest>(tx, kGuest, instance->id, "guest"));
  TROVE_ASSIGN_OR_RETURN(target.volume, LoadOne<Volume>(tx, kVolume, target.guest.id, "volume"));
  TROVE_ASSIGN_OR_RETURN(target.endpoint,
                         LoadOne<Endpoint>(tx, kEndpoint, instance->id, "endpoint"));
  return target;
}

absl::Status WriteSteps(Transaction& tx, const Operation& operation) {
  for (std::size_t position = 0; position < operation.steps.size(); ++position) {
    const StepRecord& step = operation.steps[position];
    TROVE_RETURN_IF_ERROR(
        Run(tx.db,
            "INSERT INTO operation_steps (operation_id, position, name, state, attempts, "
            "started_at, finished_at, last_error) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (operation_id, position) DO UPDATE SET name = excluded.name, "
            "state = excluded.state, attempts = excluded.attempts, "
            "started_at = excluded.started_at, finished_at = excluded.finished_at, "
            "last_error = excluded.last_error",
            operation.id,
            position,
            step.name,
            step.state,
            step.attempts,
            step.started_at,
            step.finished_at,
            step.last_error));
  }
  return absl::OkStatus();
}

absl::Status CleanUp(Transaction& tx, const OperationId& id) {
  TROVE_RETURN_IF_ERROR(ReleaseLocks(tx, id));
  TROVE_RETURN_IF_ERROR(Run(tx.db, "DELETE FROM operation_inputs WHERE operation_id = ?", id));
  return Run(tx.db, "DELETE FROM operation_signals WHERE operation_id = ?", id);
}

absl::Status PreemptOperation(Transaction& tx, const OperationId& id, const std::string& by) {
  const std::string error = by + " took its place";
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE operation_steps SET state = ?3, finished_at = ?4, "
                            "last_error = ?5 WHERE operation_id = ?1 AND state = ?2",
                            id,
                            StepState::kRunning,
                            StepState::kFailed,
                            tx.now,
                            error));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE operations SET state = ?2, owner = NULL, error = ?3, "
                            "reason = '', awaited_signal = '', waiting_since = NULL, "
                            "cancel_requested = 1, updated_at = ?4, finished_at = ?4, "
                            "version = version + 1 WHERE id = ?1",
                            id,
                            OperationState::kCancelled,
                            error,
                            tx.now));
  TROVE_RETURN_IF_ERROR(CleanUp(tx, id));
  return OperationEvent(tx, "ended", id);
}

}  // namespace trove::sqlite
