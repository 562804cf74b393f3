#include "libtrove/store/sqlite/locks.h"

#include <map>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

constexpr char kSharedMark = 's';
constexpr char kExclusiveMark = 'x';

absl::StatusOr<std::optional<Holder>> ReadHolder(Statement& row) {
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  std::optional<Holder> holder;
  if (found) {
    holder.emplace();
    row.Read(holder->id, holder->kind);
  }
  return holder;
}

absl::Status TakeLock(Transaction& tx,
                      const OperationId& operation,
                      const std::string& resource,
                      LockMode mode) {
  {
    // An exclusive lock is in everybody's way; a shared one only in that of who wants it alone.
    Statement row(tx.db,
                  "SELECT o.id, o.kind FROM operation_locks l "
                  "JOIN operations o ON o.id = l.operation_id WHERE l.resource = ?1 "
                  "AND (l.mode = 1 OR ?2 = 1) ORDER BY l.operation_id LIMIT 1",
                  resource,
                  mode);
    TROVE_ASSIGN_OR_RETURN(const std::optional<Holder> holder, ReadHolder(row));
    if (holder) return HeldBy(*holder, resource);
  }
  return Run(tx.db,
             "INSERT INTO operation_locks (resource, operation_id, mode) VALUES (?, ?, ?)",
             resource,
             operation,
             mode);
}

}  // namespace

absl::StatusOr<std::optional<Holder>> FindHolder(Transaction& tx, const std::string& resource) {
  Statement row(tx.db,
                "SELECT o.id, o.kind FROM operation_locks l "
                "JOIN operations o ON o.id = l.operation_id WHERE l.resource = ? "
                "ORDER BY l.operation_id LIMIT 1",
                resource);
  return ReadHolder(row);
}

absl::StatusOr<std::optional<Holder>> FindHolder(Transaction& tx, const InstanceId& instance) {
  Statement row(tx.db,
                "SELECT o.id, o.kind FROM operation_locks l "
                "JOIN operations o ON o.id = l.operation_id WHERE l.resource = ?1 "
                "ORDER BY o.instance_id <> ?2, l.operation_id LIMIT 1",
                ResourceOf(instance),
                instance);
  return ReadHolder(row);
}

absl::Status TakeLocks(Transaction& tx,
                       const OperationId& operation,
                       const InstanceId& instance,
                       const std::vector<ResourceLock>& others) {
  const std::string own = ResourceOf(instance);
  TROVE_RETURN_IF_ERROR(TakeLock(tx, operation, own, LockMode::kExclusive));
  // One that is named twice is taken once, as strongly as either says.
  std::map<std::string, LockMode> wanted;
  for (const ResourceLock& lock : others) {
    if (lock.resource == own) continue;
    const auto [at, fresh] = wanted.emplace(lock.resource, lock.mode);
    if (!fresh && lock.mode == LockMode::kExclusive) at->second = lock.mode;
  }
  for (const auto& [resource, mode] : wanted)
    TROVE_RETURN_IF_ERROR(TakeLock(tx, operation, resource, mode));
  return absl::OkStatus();
}

absl::Status ReleaseLocks(Transaction& tx, const OperationId& operation) {
  return Run(tx.db, "DELETE FROM operation_locks WHERE operation_id = ?", operation);
}

absl::Status HeldBy(const Holder& holder, const std::string& resource) {
  return MakeError(Reason::kOperationRunning,
                   "operation " + holder.id.value() + " (" + holder.kind + ") holds " + resource +
                       ": wait until it has ended, cancel it, or delete its instance",
                   {.retry_after = absl::Seconds(5)});
}

std::vector<std::string> LinesOf(const std::vector<ResourceLock>& locks) {
  std::vector<std::string> lines;
  lines.reserve(locks.size());
  for (const ResourceLock& lock : locks)
    lines.push_back((lock.mode == LockMode::kShared ? kSharedMark : kExclusiveMark) +
                    lock.resource);
  return lines;
}

std::vector<ResourceLock> LocksOf(const std::vector<std::string>& lines) {
  std::vector<ResourceLock> locks;
  locks.reserve(lines.size());
  for (const std::string& line : lines) {
    if (line.empty()) continue;
    locks.push_back(
        {line.substr(1), line.front() == kSharedMark ? LockMode::kShared : LockMode::kExclusive});
  }
  return locks;
}

absl::Status GrowGeneration(Transaction& tx, const InstanceId& instance) {
  return Run(
      tx.db, "UPDATE guests SET generation = generation + 1 WHERE instance_id = ?", instance);
}

}  // namespace trove::sqlite
