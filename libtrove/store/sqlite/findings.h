#pragma once

#include <absl/status/status.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// As the method of Store.
absl::Status RecordFinding(Transaction& tx, const Finding& finding);

}  // namespace trove::sqlite
