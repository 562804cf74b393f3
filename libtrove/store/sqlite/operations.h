#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<Operation> GetOperation(Transaction& tx,
                                       const std::optional<ProjectId>& project,
                                       const OperationId& id);
absl::StatusOr<OperationTarget> LoadTarget(Transaction& tx, const OperationId& id);

/// The whole operation, with input and memory. kOperationNotFound.
absl::StatusOr<Operation> LoadOperation(Transaction& tx, const OperationId& id);

/// Writes the steps of an operation that has none yet.
absl::Status InsertSteps(Transaction& tx, const Operation& operation);
/// Writes those that differ from what is there.
absl::Status WriteSteps(Transaction& tx, const Operation& operation);

/// What every end of an operation takes: its locks, what it had set aside, its turn on its host and
/// its signals go. Its input too, unless it failed: a retry needs it.
absl::Status CleanUp(Transaction& tx,
                     const ProjectId& project,
                     const OperationId& id,
                     OperationState state);

/// Ends an operation because one of kind `by` takes its place.
absl::Status PreemptOperation(Transaction& tx, const OperationId& id, const std::string& by);

/// kOperationNotFound.
absl::Status OperationNotFound(const OperationId& id);

}  // namespace trove::sqlite
