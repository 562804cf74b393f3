#pragma once

#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "libtrove/store/sqlite/transaction.h"
#include "libtrove/store/store.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<Store::Claims> ClaimDue(Transaction& tx,
                                       const WorkerId& worker,
                                       const ClaimLimits& limits);
absl::StatusOr<EngineCounts> CountEngine(Transaction& tx, const WorkerId& worker);

/// The answer of ClaimDue when it would change nothing; absent when there is something to claim, a
/// turn to give or a dead worker to reap.
absl::StatusOr<std::optional<Store::Claims>> NothingDue(Transaction& tx,
                                                        const WorkerId& worker,
                                                        const ClaimLimits& limits);

}  // namespace trove::sqlite
