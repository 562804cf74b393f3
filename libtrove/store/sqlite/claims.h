#pragma once

#include <optional>

#include <absl/status/statusor.h>

#include "libtrove/store/sqlite/transaction.h"
#include "libtrove/store/store.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<Store::Claims> ClaimDue(Transaction& tx, const WorkerId& worker, int limit);
absl::StatusOr<EngineCounts> CountEngine(Transaction& tx, const WorkerId& worker);

/// The answer of ClaimDue when it would change nothing; absent when there is something to claim or
/// a dead worker to reap.
absl::StatusOr<std::optional<Store::Claims>> NothingDue(Transaction& tx, const WorkerId& worker);

}  // namespace trove::sqlite
