#include "libtrove/store/sqlite/workers.h"

#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

// Longer than any process sleeps and wakes up with an id that it believes in.
constexpr absl::Duration kEndedKept = absl::Hours(24);

absl::Status StaleWorker(const WorkerId& worker) {
  return MakeError(Reason::kStaleOwner,
                   "worker " + worker.value() +
                       " has no living lease: drop what it does and register under a new id");
}

absl::Status EndWorker(Transaction& tx, const WorkerId& worker) {
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE workers SET ended = 1, expires_at = min(expires_at, ?2) WHERE id = ?1",
          worker,
          tx.now));
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE operations SET owner = NULL, due_at = min(due_at, ?2) WHERE owner = ?1",
          worker,
          tx.now));
  TROVE_RETURN_IF_ERROR(
      Run(tx.db, "UPDATE shards SET worker_id = NULL WHERE worker_id = ?", worker));
  return Run(tx.db, "DELETE FROM leases WHERE worker_id = ?", worker);
}

}  // namespace

absl::Status RenewWorker(Transaction& tx, const WorkerId& worker, absl::Duration lease) {
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE workers SET expires_at = ?3 "
                            "WHERE id = ?1 AND ended = 0 AND expires_at > ?2",
                            worker,
                            tx.now,
                            tx.now + lease));
  if (tx.db.changes() > 0) return absl::OkStatus();
  // Not alive: it may be new, or it has ended, and then the row is still there.
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "INSERT INTO workers (id, expires_at) VALUES (?, ?) "
                            "ON CONFLICT (id) DO NOTHING",
                            worker,
                            tx.now + lease));
  if (tx.db.changes() == 0) return StaleWorker(worker);
  return Run(tx.db, "DELETE FROM workers WHERE ended = 1 AND expires_at <= ?", tx.now - kEndedKept);
}

absl::Status ReleaseWorker(Transaction& tx, const WorkerId& worker) {
  return EndWorker(tx, worker);
}

absl::Status CheckWorker(Transaction& tx, const WorkerId& worker) {
  Statement row(
      tx.db, "SELECT 1 FROM workers WHERE id = ? AND ended = 0 AND expires_at > ?", worker, tx.now);
  TROVE_ASSIGN_OR_RETURN(const bool lives, row.Step());
  return lives ? absl::OkStatus() : StaleWorker(worker);
}

absl::Status ReapWorkers(Transaction& tx) {
  std::vector<WorkerId> dead;
  {
    Statement row(tx.db, "SELECT id FROM workers WHERE ended = 0 AND expires_at <= ?", tx.now);
    while (true) {
      TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) break;
      row.Read(dead.emplace_back());
    }
  }
  for (const WorkerId& worker : dead)
    TROVE_RETURN_IF_ERROR(EndWorker(tx, worker));
  return absl::OkStatus();
}

absl::StatusOr<bool> HoldLease(Transaction& tx,
                               const std::string& name,
                               const WorkerId& worker,
                               absl::Duration lease) {
  TROVE_RETURN_IF_ERROR(CheckWorker(tx, worker));
  TROVE_RETURN_IF_ERROR(ReapWorkers(tx));
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "INSERT INTO leases (name, worker_id, expires_at) VALUES (?1, ?2, ?4) "
          "ON CONFLICT (name) DO UPDATE SET worker_id = excluded.worker_id, "
          "expires_at = excluded.expires_at "
          "WHERE leases.worker_id = excluded.worker_id OR leases.expires_at <= ?3",
          name,
          worker,
          tx.now,
          tx.now + lease));
  return tx.db.changes() > 0;
}

absl::StatusOr<bool> HoldsLease(Transaction& tx, const std::string& name, const WorkerId& worker) {
  Statement row(tx.db,
                "SELECT 1 FROM leases WHERE name = ? AND worker_id = ? AND expires_at > ?",
                name,
                worker,
                tx.now);
  return row.Step();
}

}  // namespace trove::sqlite
