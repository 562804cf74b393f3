#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// Who holds a resource.
struct Holder {
  OperationId id;
  std::string kind;
};

/// The operation that holds a resource (any of them when several share it); absent: nobody.
absl::StatusOr<std::optional<Holder>> FindHolder(Transaction& tx, const std::string& resource);

/// The operation that holds an instance: the one that acts on it, when others share it.
absl::StatusOr<std::optional<Holder>> FindHolder(Transaction& tx, const InstanceId& instance);

/// Takes the exclusive lock of the instance and the others named, all or none. kOperationRunning
/// names who is in the way.
absl::Status TakeLocks(Transaction& tx,
                       const OperationId& operation,
                       const InstanceId& instance,
                       const std::vector<ResourceLock>& others);

absl::Status ReleaseLocks(Transaction& tx, const OperationId& operation);

/// kOperationRunning: `holder` has `resource`.
absl::Status HeldBy(const Holder& holder, const std::string& resource);

/// Locks as they are kept with an operation, to be taken again: a line each.
std::vector<std::string> LinesOf(const std::vector<ResourceLock>& locks);
std::vector<ResourceLock> LocksOf(const std::vector<std::string>& lines);

/// Grows the generation of all guests of an instance: whoever acts with an older one is refused.
absl::Status GrowGeneration(Transaction& tx, const InstanceId& instance);

}  // namespace trove::sqlite
