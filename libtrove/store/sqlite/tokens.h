#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::Status PutToken(Transaction& tx, const TokenRecord& token);
absl::StatusOr<std::string> PutTokenOnce(Transaction& tx,
                                         const Requester& requester,
                                         const TokenRecord& token,
                                         const std::string& answer);
absl::StatusOr<TokenRecord> FindToken(Transaction& tx, const std::string& hash);

/// Forgets at most `limit` tokens that have ended. Returns how many.
absl::StatusOr<int> SweepTokens(Transaction& tx, int limit);

}  // namespace trove::sqlite
