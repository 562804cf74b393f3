#include "libtrove/store/sqlite/outcome.h"

#include <optional>

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

struct Stored {
  InstanceId instance_id;
  std::int64_t version = 0;
};

absl::StatusOr<Stored> CheckOwner(Transaction& tx, const WorkerId& worker, const OperationId& id) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  Statement row(
      tx.db, "SELECT instance_id, version FROM operations WHERE id = ? AND owner = ?", id, worker);
  TROVE_ASSIGN_OR_RETURN(const bool owned, row.Step());
  if (!owned) {
    return MakeError(Reason::kStaleOwner,
                     "operation " + id.value() + " is not worker " + worker.value() + "'s");
  }
  Stored stored;
  row.Read(stored.instance_id, stored.version);
  return stored;
}

absl::Status WriteRow(Transaction& tx,
                      const Operation& o,
                      const std::optional<WorkerId>& owner,
                      absl::Time due_at,
                      const std::optional<absl::Time>& finished_at) {
  return Run(tx.db,
             "UPDATE operations SET state = ?2, current_step = ?3, owner = ?4, due_at = ?5, "
             "reason = ?6, awaited_signal = ?7, waiting_since = ?8, error = ?9, help = ?10, "
             "updated_at = ?11, finished_at = ?12, version = version + 1, memory = ?13 "
             "WHERE id = ?1",
             o.id,
             o.state,
             o.current_step,
             owner,
             due_at,
             o.reason,
             o.awaited_signal,
             o.waiting_since,
             o.error,
             o.help,
             tx.now,
             finished_at,
             Blob{o.memory});
}

}  // namespace

absl::StatusOr<std::int64_t> WriteOperation(Transaction& tx,
                                            const WorkerId& worker,
                                            const OperationWrite& write) {
  TROVE_ASSIGN_OR_RETURN(const Stored stored, CheckOwner(tx, worker, write.operation.id));
  Operation operation = write.operation;
  operation.instance_id = stored.instance_id;
  const bool ended = IsEnded(operation.state);
  TROVE_RETURN_IF_ERROR(ConsumeSignals(tx, operation.id, write.consumed_signals));
  absl::Time due_at = operation.due_at;
  if (!ended && !operation.awaited_signal.empty()) {
    TROVE_ASSIGN_OR_RETURN(const bool arrived,
                           HasSignal(tx, operation.id, operation.awaited_signal));
    if (arrived) due_at = std::min(due_at, tx.now);
  }
  std::optional<WorkerId> owner;
  if (!ended && !write.release) owner = worker;
  std::optional<absl::Time> finished_at;
  if (ended) finished_at = tx.now;
  TROVE_RETURN_IF_ERROR(WriteSteps(tx, operation));
  TROVE_RETURN_IF_ERROR(WriteRow(tx, operation, owner, due_at, finished_at));
  TROVE_RETURN_IF_ERROR(ApplyEffects(tx, operation, write.effects));
  if (ended) TROVE_RETURN_IF_ERROR(CleanUp(tx, operation.id));
  TROVE_RETURN_IF_ERROR(OperationEvent(tx, ended ? "ended" : "updated", operation.id));
  return stored.version + 1;
}

}  // namespace trove::sqlite
