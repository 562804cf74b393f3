#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::Status PutToken(Transaction& tx, const TokenRecord& token);
absl::StatusOr<TokenRecord> FindToken(Transaction& tx, const std::string& hash);

}  // namespace trove::sqlite
