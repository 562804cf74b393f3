#include "libtrove/store/sqlite/operations.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/configurations.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/quotas.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/turns.h"
#include "libtrove/store/sqlite/views.h"

namespace trove::sqlite {
namespace {

absl::Status LoadSteps(Transaction& tx, const OperationId& id, std::vector<StepRecord>& steps) {
  static const std::string kSql = std::string("SELECT ") + kStepColumns +
                                  " FROM operation_steps s WHERE s.operation_id = ? "
                                  "ORDER BY s.position";
  Statement row(tx.db, kSql, id);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return absl::OkStatus();
    Read(row, steps.emplace_back());
  }
}

absl::Status WriteStep(Transaction& tx,
                       const OperationId& id,
                       std::size_t position,
                       const StepRecord& step) {
  return Run(tx.db,
             "INSERT INTO operation_steps (operation_id, position, name, state, attempts, "
             "started_at, finished_at, last_error) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
             "ON CONFLICT (operation_id, position) DO UPDATE SET name = excluded.name, "
             "state = excluded.state, attempts = excluded.attempts, "
             "started_at = excluded.started_at, finished_at = excluded.finished_at, "
             "last_error = excluded.last_error",
             id,
             position,
             step.name,
             step.state,
             step.attempts,
             step.started_at,
             step.finished_at,
             step.last_error);
}

// A step as it comes back from the store: times in whole microseconds.
StepRecord Rounded(StepRecord step) {
  if (step.started_at) step.started_at = TimeOf(StoredTime(*step.started_at));
  if (step.finished_at) step.finished_at = TimeOf(StoredTime(*step.finished_at));
  return step;
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

absl::Status OperationNotFound(const OperationId& id) {
  return MakeError(Reason::kOperationNotFound, "operation " + id.value() + " cannot be found");
}

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
  TROVE_RETURN_IF_ERROR(LoadSteps(tx, id, operation.steps));
  return operation;
}

absl::StatusOr<Operation> LoadOperation(Transaction& tx, const OperationId& id) {
  static const std::string kSql = std::string("SELECT ") + kOperationColumns +
                                  ", o.memory, i.input FROM operations o "
                                  "LEFT JOIN operation_inputs i ON i.operation_id = o.id "
                                  "WHERE o.id = ?";
  Operation operation;
  {
    Statement row(tx.db, kSql, id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return OperationNotFound(id);
    Read(row, operation);
    row.Read(operation.memory, operation.input);
  }
  TROVE_RETURN_IF_ERROR(LoadSteps(tx, id, operation.steps));
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
  InstanceId of;
  {
    Statement row(tx.db, "SELECT instance_id FROM operations WHERE id = ?", id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return OperationNotFound(id);
    row.Read(of);
  }
  OperationTarget target;
  TROVE_ASSIGN_OR_RETURN(const auto instance, FindInstance(tx, of));
  if (!instance) return InstanceNotFound(tx, std::nullopt, of);
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
  if (instance->configuration_id) {
    TROVE_ASSIGN_OR_RETURN(ConfigurationView view,
                           GetConfiguration(tx, std::nullopt, *instance->configuration_id));
    target.configuration = std::move(view.configuration);
  }
  return target;
}

absl::Status InsertSteps(Transaction& tx, const Operation& operation) {
  for (std::size_t position = 0; position < operation.steps.size(); ++position) {
    TROVE_RETURN_IF_ERROR(WriteStep(tx, operation.id, position, operation.steps[position]));
  }
  return absl::OkStatus();
}

absl::Status WriteSteps(Transaction& tx, const Operation& operation) {
  std::vector<StepRecord> stored;
  stored.reserve(operation.steps.size());
  TROVE_RETURN_IF_ERROR(LoadSteps(tx, operation.id, stored));
  for (std::size_t position = 0; position < operation.steps.size(); ++position) {
    const StepRecord& step = operation.steps[position];
    if (position < stored.size() && stored[position] == Rounded(step)) continue;
    TROVE_RETURN_IF_ERROR(WriteStep(tx, operation.id, position, step));
  }
  return absl::OkStatus();
}

absl::Status CleanUp(Transaction& tx,
                     const ProjectId& project,
                     const OperationId& id,
                     OperationState state) {
  TROVE_RETURN_IF_ERROR(ReleaseLocks(tx, id));
  TROVE_RETURN_IF_ERROR(Unreserve(tx, project, id));
  if (state == OperationState::kFailed) {
    TROVE_RETURN_IF_ERROR(Run(
        tx.db, "UPDATE operation_inputs SET failed_at = ?2 WHERE operation_id = ?1", id, tx.now));
  } else {
    TROVE_RETURN_IF_ERROR(Run(tx.db, "DELETE FROM operation_inputs WHERE operation_id = ?", id));
  }
  TROVE_RETURN_IF_ERROR(Run(tx.db, "DELETE FROM operation_signals WHERE operation_id = ?", id));
  return PassTurnOn(tx, id);
}

absl::Status PreemptOperation(Transaction& tx, const OperationId& id, const std::string& by) {
  ProjectId project;
  {
    Statement row(tx.db, "SELECT project_id FROM operations WHERE id = ?", id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return OperationNotFound(id);
    row.Read(project);
  }
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
  TROVE_RETURN_IF_ERROR(CleanUp(tx, project, id, OperationState::kCancelled));
  return OperationEvent(tx, "ended", id);
}

}  // namespace trove::sqlite
