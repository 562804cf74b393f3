#pragma once

#include <absl/status/status.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// Writes the rows that a new instance begins with. kVersionUnknown and kFlavorUnknown: it names
/// one that the catalogue does not have.
absl::Status InsertInstance(Transaction& tx, const NewInstance& instance);

/// Writes an operation that is due at once, with its steps and its input, and the lock of its
/// instance, which nobody may hold.
absl::Status InsertOperation(Transaction& tx,
                             const Requester& requester,
                             const ProjectId& project,
                             const InstanceId& instance,
                             const Operation& operation);

}  // namespace trove::sqlite
