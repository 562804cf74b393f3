#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// As the method of Store.
absl::StatusOr<OperationWritten> WriteOperation(Transaction& tx,
                                                const WorkerId& worker,
                                                const OperationWrite& write);

}  // namespace trove::sqlite
