#include "libtrove/store/sqlite/purge.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/requests.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/tokens.h"

namespace trove::sqlite {
namespace {

// Steps and what else belongs to an operation goes with it.
absl::StatusOr<int> PurgeOperations(Transaction& tx, absl::Time before, int limit) {
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "DELETE FROM operations WHERE rowid IN (SELECT rowid FROM operations "
                            "WHERE finished_at < ? ORDER BY finished_at LIMIT ?)",
                            before,
                            limit));
  return tx.db.changes();
}

absl::StatusOr<int> PurgeInputs(Transaction& tx, absl::Time before, int limit) {
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE operations SET input_lost = 1, updated_at = ?3, version = version + 1 "
          "WHERE id IN (SELECT operation_id FROM operation_inputs WHERE failed_at < ?1 "
          "ORDER BY failed_at LIMIT ?2)",
          before,
          limit,
          tx.now));
  const int changed = tx.db.changes();
  if (changed == 0) return 0;
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "DELETE FROM operation_inputs WHERE operation_id IN "
                            "(SELECT operation_id FROM operation_inputs WHERE failed_at < ? "
                            "ORDER BY failed_at LIMIT ?)",
                            before,
                            limit));
  return changed;
}

// Records are in the order of their time.
absl::StatusOr<int> PurgeAudit(Transaction& tx, absl::Time before, int limit) {
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "DELETE FROM audit WHERE id IN (SELECT id FROM "
                            "(SELECT id, at FROM audit ORDER BY id LIMIT ?2) WHERE at < ?1)",
                            before,
                            limit));
  return tx.db.changes();
}

}  // namespace

absl::StatusOr<int> Purge(Transaction& tx, const Retention& kept, int limit) {
  TROVE_ASSIGN_OR_RETURN(const int inputs, PurgeInputs(tx, tx.now - kept.failed_inputs, limit));
  TROVE_ASSIGN_OR_RETURN(const int operations,
                         PurgeOperations(tx, tx.now - kept.operations, limit));
  TROVE_ASSIGN_OR_RETURN(const int records, PurgeAudit(tx, tx.now - kept.audit, limit));
  TROVE_ASSIGN_OR_RETURN(const int requests, SweepRequests(tx, limit));
  TROVE_ASSIGN_OR_RETURN(const int tokens, SweepTokens(tx, limit));
  return inputs + operations + records + requests + tokens;
}

}  // namespace trove::sqlite
