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

/// Writes every step of `operation` as it is there.
absl::Status WriteSteps(Transaction& tx, const Operation& operation);

/// What every end of an operation takes: its locks, its input and its signals go.
absl::Status CleanUp(Transaction& tx, const OperationId& id);

/// Ends an operation because one of kind `by` takes its place.
absl::Status PreemptOperation(Transaction& tx, const OperationId& id, const std::string& by);

}  // namespace trove::sqlite
