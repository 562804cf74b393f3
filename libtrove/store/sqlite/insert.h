#pragma once

#include <optional>
#include <vector>

#include <absl/status/status.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// Writes the rows that a new instance begins with. kVersionUnknown, kFlavorUnknown and
/// kConfigurationNotFound: it names one that there is not.
absl::Status InsertInstance(Transaction& tx, const Requester& requester, const NewInstance& wanted);

/// An operation that is accepted, and what a retry must set again.
struct AcceptedOperation {
  const Instance& instance;
  const Operation& operation;
  TaskStatus task = TaskStatus::kNone;
  std::optional<ServiceStatus> service;
  const std::vector<ResourceLock>& locks;
};

/// Writes an operation that is due at once, with its steps, its input and its locks. The inputs of
/// what failed before it on the instance are erased: that cannot be retried any more.
/// kOperationRunning: a lock is held.
absl::Status InsertOperation(Transaction& tx,
                             const Requester& requester,
                             const AcceptedOperation& accepted);

}  // namespace trove::sqlite
