#include "libtrove/store/sqlite/claims.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/due.h"
#include "libtrove/store/sqlite/operations.h"
#include "libtrove/store/sqlite/signals.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/turns.h"
#include "libtrove/store/sqlite/workers.h"

namespace trove::sqlite {
namespace {

// Operations that one claim sends to wait for their turn.
constexpr int kMostPutOff = 256;

// When the next operation is due, or the next worker may have died with something in its hands.
absl::StatusOr<absl::Time> NextDue(Transaction& tx, const WorkerId& worker) {
  Statement row(tx.db,
                "SELECT (SELECT min(due_at) FROM operations "
                "WHERE owner IS NULL AND finished_at IS NULL AND turn <> 1), "
                "(SELECT min(deadline) FROM operations WHERE turn = 1 AND finished_at IS NULL), "
                "(SELECT min(w.expires_at) FROM workers w WHERE w.ended = 0 AND w.id <> ? "
                "AND EXISTS (SELECT 1 FROM operations o WHERE o.owner = w.id))",
                worker);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  std::optional<absl::Time> due;
  std::optional<absl::Time> late;
  std::optional<absl::Time> freed;
  row.Read(due, late, freed);
  return std::min({due.value_or(absl::InfiniteFuture()),
                   late.value_or(absl::InfiniteFuture()),
                   freed.value_or(absl::InfiniteFuture())});
}

// What decides whether an operation that is due may go on now.
struct Candidate {
  OperationId id;
  OperationState state = OperationState::kPending;
  std::string kind;
  int turn = 0;
  bool cancel_requested = false;
  absl::Time deadline;
  std::string placement;  // of its guest
};

absl::StatusOr<Candidate> ReadCandidate(Transaction& tx, std::int64_t rowid) {
  Statement row(tx.db,
                "SELECT o.id, o.state, o.kind, o.turn, o.cancel_requested, o.deadline, "
                "coalesce(g.placement, '') FROM operations o LEFT JOIN guests g "
                "ON g.instance_id = o.instance_id AND g.ordinal = 0 WHERE o.rowid = ?",
                rowid);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  Candidate c;
  row.Read(c.id, c.state, c.kind, c.turn, c.cancel_requested, c.deadline, c.placement);
  return c;
}

// Whether an operation must ask for its turn: when it begins, and is not to be ended at once.
bool NeedsTurn(const Candidate& c, absl::Time now) {
  return c.state == OperationState::kPending && c.turn == 0 && !c.cancel_requested &&
         c.deadline > now && c.kind != "instance.delete";
}

// True: it may go on. False: it waits for its turn from now on.
absl::StatusOr<bool> Admit(Transaction& tx,
                           const Candidate& c,
                           const std::string& host,
                           int per_host) {
  if (per_host <= 0 || !NeedsTurn(c, tx.now)) return true;
  int running = 0;
  TROVE_ASSIGN_OR_RETURN(const bool room, HasRoom(tx, host, per_host, running));
  if (room) return true;
  TROVE_RETURN_IF_ERROR(AwaitTurn(tx, c.id, host, per_host, running));
  return false;
}

absl::Status Take(Transaction& tx,
                  const WorkerId& worker,
                  const Candidate& c,
                  const std::string& host) {
  if (c.state != OperationState::kPending) {
    return Run(tx.db,
               "UPDATE operations SET owner = ?2, updated_at = ?3, version = version + 1, "
               "state = CASE state WHEN 3 THEN 2 ELSE state END WHERE id = ?1",
               c.id,
               worker,
               tx.now);
  }
  // One that begins has its turn from now on, and waits for nothing any more.
  return Run(tx.db,
             "UPDATE operations SET owner = ?2, updated_at = ?3, version = version + 1, state = 2, "
             "turn = 2, host = ?4, reason = '', waiting_since = NULL WHERE id = ?1",
             c.id,
             worker,
             tx.now,
             host);
}

absl::StatusOr<ClaimedOperation> Claim(Transaction& tx,
                                       const WorkerId& worker,
                                       const Candidate& candidate,
                                       const std::string& host) {
  TROVE_RETURN_IF_ERROR(Take(tx, worker, candidate, host));
  const OperationId& id = candidate.id;
  ClaimedOperation claimed;
  TROVE_ASSIGN_OR_RETURN(claimed.operation, LoadOperation(tx, id));
  TROVE_ASSIGN_OR_RETURN(claimed.signals, LoadSignals(tx, id));
  Statement row(tx.db,
                "UPDATE guests SET generation = generation + 1 WHERE instance_id = ? "
                "RETURNING ordinal, generation",
                claimed.operation.instance_id);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return claimed;
    int ordinal = 0;
    std::int64_t generation = 0;
    row.Read(ordinal, generation);
    if (ordinal == 0) claimed.generation = generation;
  }
}

}  // namespace

absl::StatusOr<std::optional<Store::Claims>> NothingDue(Transaction& tx,
                                                        const WorkerId& worker,
                                                        const ClaimLimits& limits) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  std::optional<Store::Claims> none;
  {
    Statement dead(tx.db, "SELECT 1 FROM workers WHERE ended = 0 AND expires_at <= ?", tx.now);
    TROVE_ASSIGN_OR_RETURN(const bool found, dead.Step());
    if (found) return none;
  }
  TROVE_ASSIGN_OR_RETURN(const absl::Time next, NextDue(tx, worker));
  if (next <= tx.now) return none;
  TROVE_ASSIGN_OR_RETURN(const bool turns, TurnsAreFree(tx, limits.per_host));
  if (!turns) none.emplace().next_due = next;
  return none;
}

absl::StatusOr<Store::Claims> ClaimDue(Transaction& tx,
                                       const WorkerId& worker,
                                       const ClaimLimits& limits) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  TROVE_RETURN_IF_ERROR(ReapWorkers(tx));
  TROVE_RETURN_IF_ERROR(GiveTurns(tx, limits.per_host));
  Store::Claims claims;
  TROVE_ASSIGN_OR_RETURN(DueOperations due, DueOperations::Open(tx, limits.operations));
  // What has to wait for its turn is not counted, within reason.
  for (int looked = 0; looked < limits.operations + kMostPutOff &&
                       static_cast<int>(claims.operations.size()) < limits.operations;
       ++looked) {
    TROVE_ASSIGN_OR_RETURN(const std::optional<std::int64_t> row, due.Next(tx));
    if (!row) break;
    TROVE_ASSIGN_OR_RETURN(const Candidate candidate, ReadCandidate(tx, *row));
    const std::string& host = candidate.placement.empty() ? limits.host : candidate.placement;
    TROVE_ASSIGN_OR_RETURN(const bool admitted, Admit(tx, candidate, host, limits.per_host));
    if (!admitted) continue;
    TROVE_ASSIGN_OR_RETURN(ClaimedOperation claimed, Claim(tx, worker, candidate, host));
    claims.operations.push_back(std::move(claimed));
  }
  TROVE_ASSIGN_OR_RETURN(claims.next_due, NextDue(tx, worker));
  return claims;
}

absl::StatusOr<EngineCounts> CountEngine(Transaction& tx, const WorkerId& worker) {
  Statement row(tx.db,
                "SELECT (SELECT count(*) FROM operations WHERE finished_at IS NULL), "
                "(SELECT count(*) FROM operations WHERE owner = ?), "
                "(SELECT coalesce((SELECT max(sequence) FROM events), published) - published "
                "FROM event_relay)",
                worker);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  EngineCounts counts;
  row.Read(counts.open_operations, counts.held_operations, counts.events_waiting);
  return counts;
}

}  // namespace trove::sqlite
