#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<OperationPage> ListOperations(Transaction& tx,
                                             const OperationFilter& filter,
                                             const std::string& after,
                                             int limit);
absl::StatusOr<StepDurations> GetStepDurations(Transaction& tx,
                                               const std::string& kind,
                                               const DatastoreId& datastore,
                                               int limit);

/// The statements behind a list, for those who check how they are run: what finds the rows, and
/// what reads their steps.
const std::string& ListOperationsSql(const OperationFilter& filter);
const std::string& ListStepsSql();

}  // namespace trove::sqlite
