#include "libtrove/store/sqlite/signals.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {

// An operation that is owned at this moment reads the signal when it is written or claimed next;
// both look at these rows in their own transaction, so that none is missed.
absl::StatusOr<bool> PostSignal(Transaction& tx,
                                const OperationId& id,
                                const std::string& name,
                                const std::string& payload) {
  // A replaced one counts as new: its sequence is the latest.
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "INSERT OR REPLACE INTO operation_signals (operation_id, name, payload, at) "
          "SELECT id, ?2, ?3, ?4 FROM operations WHERE id = ?1 AND finished_at IS NULL",
          id,
          name,
          Blob{payload},
          tx.now));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE operations SET due_at = min(due_at, ?3) "
                            "WHERE id = ?1 AND awaited_signal = ?2 AND owner IS NULL "
                            "AND finished_at IS NULL",
                            id,
                            name,
                            tx.now));
  return tx.db.changes() > 0;
}

absl::StatusOr<std::vector<Signal>> LoadSignals(Transaction& tx, const OperationId& id) {
  std::vector<Signal> signals;
  Statement row(tx.db,
                "SELECT name, payload, at FROM operation_signals WHERE operation_id = ? "
                "ORDER BY sequence",
                id);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return signals;
    Signal& signal = signals.emplace_back();
    row.Read(signal.name, signal.payload, signal.at);
  }
}

absl::Status ConsumeSignals(Transaction& tx,
                            const OperationId& id,
                            const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    TROVE_RETURN_IF_ERROR(
        Run(tx.db, "DELETE FROM operation_signals WHERE operation_id = ? AND name = ?", id, name));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HasSignal(Transaction& tx, const OperationId& id, const std::string& name) {
  Statement row(
      tx.db, "SELECT 1 FROM operation_signals WHERE operation_id = ? AND name = ?", id, name);
  return row.Step();
}

}  // namespace trove::sqlite
