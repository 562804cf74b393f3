#include "libtrove/store/sqlite/claims.h"

#include <utility>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/operations.h"
#include "libtrove/store/sqlite/signals.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/workers.h"

namespace trove::sqlite {
namespace {

// When the next operation is due, or the next worker may have died with something in its hands.
absl::StatusOr<absl::Time> NextDue(Transaction& tx, const WorkerId& worker) {
  Statement row(tx.db,
                "SELECT (SELECT min(due_at) FROM operations WHERE owner IS NULL AND state < 5), "
                "(SELECT min(w.expires_at) FROM workers w WHERE w.ended = 0 AND w.id <> ? "
                "AND EXISTS (SELECT 1 FROM operations o WHERE o.owner = w.id))",
                worker);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  std::optional<absl::Time> due;
  std::optional<absl::Time> freed;
  row.Read(due, freed);
  return std::min(due.value_or(absl::InfiniteFuture()), freed.value_or(absl::InfiniteFuture()));
}

absl::StatusOr<ClaimedOperation> Claim(Transaction& tx,
                                       const WorkerId& worker,
                                       const OperationId& id) {
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE operations SET owner = ?2, updated_at = ?3, version = version + 1, "
          "state = CASE WHEN state IN (?4, ?5) THEN ?6 ELSE state END WHERE id = ?1",
          id,
          worker,
          tx.now,
          OperationState::kPending,
          OperationState::kWaiting,
          OperationState::kRunning));
  ClaimedOperation claimed;
  TROVE_ASSIGN_OR_RETURN(claimed.operation, LoadOperation(tx, id));
  TROVE_RETURN_IF_ERROR(GrowGeneration(tx, claimed.operation.instance_id));
  TROVE_ASSIGN_OR_RETURN(claimed.signals, LoadSignals(tx, id));
  Statement row(tx.db,
                "SELECT generation FROM guests WHERE instance_id = ? AND ordinal = 0",
                claimed.operation.instance_id);
  TROVE_ASSIGN_OR_RETURN(const bool has_guest, row.Step());
  if (has_guest) row.Read(claimed.generation);
  return claimed;
}

}  // namespace

absl::StatusOr<std::optional<Store::Claims>> NothingDue(Transaction& tx, const WorkerId& worker) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  std::optional<Store::Claims> none;
  {
    Statement dead(tx.db, "SELECT 1 FROM workers WHERE ended = 0 AND expires_at <= ?", tx.now);
    TROVE_ASSIGN_OR_RETURN(const bool found, dead.Step());
    if (found) return none;
  }
  TROVE_ASSIGN_OR_RETURN(const absl::Time next, NextDue(tx, worker));
  if (next > tx.now) none.emplace().next_due = next;
  return none;
}

absl::StatusOr<Store::Claims> ClaimDue(Transaction& tx, const WorkerId& worker, int limit) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  TROVE_RETURN_IF_ERROR(ReapWorkers(tx));
  std::vector<OperationId> due;
  {
    Statement row(tx.db,
                  "SELECT id FROM operations WHERE owner IS NULL AND state < 5 AND due_at <= ? "
                  "ORDER BY due_at, rowid LIMIT ?",
                  tx.now,
                  limit);
    while (true) {
      TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) break;
      row.Read(due.emplace_back());
    }
  }
  Store::Claims claims;
  for (const OperationId& id : due) {
    TROVE_ASSIGN_OR_RETURN(ClaimedOperation claimed, Claim(tx, worker, id));
    claims.operations.push_back(std::move(claimed));
  }
  TROVE_ASSIGN_OR_RETURN(claims.next_due, NextDue(tx, worker));
  return claims;
}

absl::StatusOr<EngineCounts> CountEngine(Transaction& tx, const WorkerId& worker) {
  Statement row(tx.db,
                "SELECT (SELECT count(*) FROM operations WHERE owner IS NULL AND state < 5) + "
                "(SELECT count(*) FROM operations WHERE owner IS NOT NULL), "
                "(SELECT count(*) FROM operations WHERE owner = ?), "
                "(SELECT count(*) FROM events WHERE position IS NULL) + "
                "(SELECT stamped - published FROM event_relay)",
                worker);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  EngineCounts counts;
  row.Read(counts.open_operations, counts.held_operations, counts.events_waiting);
  return counts;
}

}  // namespace trove::sqlite
