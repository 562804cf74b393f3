#include "libtrove/store/sqlite/locks.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

constexpr int kExclusive = 1;

}  // namespace

absl::StatusOr<std::optional<Holder>> FindHolder(Transaction& tx, const InstanceId& instance) {
  Statement row(tx.db,
                "SELECT o.id, o.kind FROM operation_locks l "
                "JOIN operations o ON o.id = l.operation_id WHERE l.resource = ? "
                "ORDER BY l.operation_id LIMIT 1",
                ResourceOf(instance));
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  std::optional<Holder> holder;
  if (found) {
    holder.emplace();
    row.Read(holder->id, holder->kind);
  }
  return holder;
}

absl::Status LockInstance(Transaction& tx,
                          const InstanceId& instance,
                          const OperationId& operation) {
  return Run(tx.db,
             "INSERT INTO operation_locks (resource, operation_id, mode) VALUES (?, ?, ?)",
             ResourceOf(instance),
             operation,
             kExclusive);
}

absl::Status ReleaseLocks(Transaction& tx, const OperationId& operation) {
  return Run(tx.db, "DELETE FROM operation_locks WHERE operation_id = ?", operation);
}

absl::Status GrowGeneration(Transaction& tx, const InstanceId& instance) {
  return Run(
      tx.db, "UPDATE guests SET generation = generation + 1 WHERE instance_id = ?", instance);
}

}  // namespace trove::sqlite
