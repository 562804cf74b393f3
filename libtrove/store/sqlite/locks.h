#pragma once

#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// Who holds an instance.
struct Holder {
  OperationId id;
  std::string kind;
};

/// The operation that holds an instance (any of them when several share it); absent: nobody.
absl::StatusOr<std::optional<Holder>> FindHolder(Transaction& tx, const InstanceId& instance);

/// Takes the exclusive lock of an instance that nobody holds.
absl::Status LockInstance(Transaction& tx,
                          const InstanceId& instance,
                          const OperationId& operation);

absl::Status ReleaseLocks(Transaction& tx, const OperationId& operation);

/// Grows the generation of all guests of an instance: whoever acts with an older one is refused.
absl::Status GrowGeneration(Transaction& tx, const InstanceId& instance);

}  // namespace trove::sqlite
