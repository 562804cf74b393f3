#pragma once

#include <vector>

#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<std::vector<int>> ClaimShards(Transaction& tx, const WorkerId& worker);
absl::StatusOr<std::vector<GuestSummary>> ListShard(Transaction& tx,
                                                    const std::vector<int>& shards);

/// The answer of ClaimShards when it would change nothing; absent otherwise.
absl::StatusOr<std::optional<std::vector<int>>> ShardsSettled(Transaction& tx,
                                                              const WorkerId& worker);

}  // namespace trove::sqlite
