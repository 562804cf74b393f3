#pragma once

#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<Operation> CancelOperation(Transaction& tx,
                                          const Requester& requester,
                                          const OperationId& id);
absl::StatusOr<Operation> RetryOperation(Transaction& tx,
                                         const Requester& requester,
                                         const OperationId& id);

}  // namespace trove::sqlite
