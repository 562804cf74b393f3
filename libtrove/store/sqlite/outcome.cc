#include "libtrove/store/sqlite/outcome.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/effects.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/operations.h"
#include "libtrove/store/sqlite/signals.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/workers.h"

namespace trove::sqlite {
namespace {

// What the row says before it is written.
struct Stored {
  ProjectId project_id;
  InstanceId instance_id;
  std::string kind;
  OperationState state = OperationState::kPending;
  int current_step = 0;
  std::string reason;
  bool cancel_requested = false;
  std::int64_t version = 0;
};

absl::StatusOr<Stored> CheckOwner(Transaction& tx, const WorkerId& worker, const OperationId& id) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  Statement row(tx.db,
                "SELECT project_id, instance_id, kind, state, current_step, reason, "
                "cancel_requested, version FROM operations WHERE id = ? AND owner = ?",
                id,
                worker);
  TROVE_ASSIGN_OR_RETURN(const bool owned, row.Step());
  if (!owned) {
    return MakeError(Reason::kStaleOwner,
                     "operation " + id.value() + " is not worker " + worker.value() + "'s");
  }
  Stored stored;
  row.Read(stored.project_id, stored.instance_id, stored.kind, stored.state);
  row.Read(stored.current_step, stored.reason, stored.cancel_requested, stored.version);
  return stored;
}

std::string WriteSql(const std::string& more) {
  return "UPDATE operations SET state = ?2, current_step = ?3, due_at = ?4, reason = ?5, "
         "awaited_signal = ?6, waiting_since = ?7, error = ?8, help = ?9, updated_at = ?10, "
         "version = version + 1, memory = ?11, cancellable = ?12, workflow_version = ?13" +
         more + " WHERE id = ?1";
}

// Columns that stay are left out, so that their indexes are not written again.
const std::string& WriteSqlOf(const OperationWrite& write) {
  static const std::string kHeld = WriteSql("");
  static const std::string kReleased = WriteSql(", owner = NULL");
  static const std::string kEnded = WriteSql(", owner = NULL, finished_at = ?10");
  if (IsEnded(write.operation.state)) return kEnded;
  return write.release ? kReleased : kHeld;
}

absl::Status WriteRow(Transaction& tx, const OperationWrite& write, absl::Time due_at) {
  const Operation& o = write.operation;
  return Run(tx.db,
             WriteSqlOf(write),
             o.id,
             o.state,
             o.current_step,
             due_at,
             o.reason,
             o.awaited_signal,
             o.waiting_since,
             o.error,
             o.help,
             tx.now,
             Blob{o.memory},
             o.cancellable,
             o.workflow_version);
}

// Somebody who watches learns of a step, a state and a reason; not of every write.
absl::Status WriteEvent(Transaction& tx, const Stored& before, const Operation& after) {
  const bool ended = IsEnded(after.state);
  if (!ended && after.state == before.state && after.current_step == before.current_step &&
      after.reason == before.reason)
    return absl::OkStatus();
  const auto step = static_cast<std::size_t>(after.current_step);
  return OperationEvent(
      tx,
      ended ? "ended" : "progressed",
      {.id = after.id,
       .project_id = before.project_id,
       .instance_id = before.instance_id,
       .kind = before.kind,
       .state = after.state,
       .step = step < after.steps.size() ? std::string_view(after.steps[step].name)
                                         : std::string_view(),
       .reason = after.reason,
       .error = after.error,
       .version = before.version + 1});
}

// When the operation is looked at again.
absl::StatusOr<absl::Time> DueAt(Transaction& tx,
                                 const Stored& before,
                                 const OperationWrite& write) {
  const Operation& after = write.operation;
  if (IsEnded(after.state)) return after.due_at;
  // A cancel that came after its owner last looked.
  if (write.release && before.cancel_requested && !after.cancel_requested)
    return std::min(after.due_at, tx.now);
  if (after.awaited_signal.empty()) return after.due_at;
  TROVE_ASSIGN_OR_RETURN(const bool arrived, HasSignal(tx, after.id, after.awaited_signal));
  return arrived ? std::min(after.due_at, tx.now) : after.due_at;
}

}  // namespace

absl::StatusOr<OperationWritten> WriteOperation(Transaction& tx,
                                                const WorkerId& worker,
                                                const OperationWrite& write) {
  const Operation& operation = write.operation;
  TROVE_ASSIGN_OR_RETURN(const Stored stored, CheckOwner(tx, worker, operation.id));
  const bool ended = IsEnded(operation.state);
  TROVE_RETURN_IF_ERROR(ConsumeSignals(tx, operation.id, write.consumed_signals));
  TROVE_ASSIGN_OR_RETURN(const absl::Time due_at, DueAt(tx, stored, write));
  TROVE_RETURN_IF_ERROR(WriteSteps(tx, operation));
  TROVE_RETURN_IF_ERROR(WriteRow(tx, write, due_at));
  TROVE_RETURN_IF_ERROR(
      ApplyEffects(tx, {stored.project_id, stored.instance_id, operation.id}, write.effects));
  if (ended) {
    TROVE_RETURN_IF_ERROR(CleanUp(tx, stored.project_id, operation.id, operation.state));
  }
  TROVE_RETURN_IF_ERROR(WriteEvent(tx, stored, operation));
  return OperationWritten{stored.version + 1, stored.cancel_requested};
}

}  // namespace trove::sqlite
