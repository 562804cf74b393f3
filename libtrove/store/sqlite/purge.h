#pragma once

#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// As the method of Store. Answers kept for repeated requests, and tokens, go with it when they
/// have ended.
absl::StatusOr<int> Purge(Transaction& tx, const Retention& kept, int limit);

}  // namespace trove::sqlite
