#pragma once

#include <vector>

#include <absl/status/status.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// Applies what a step changes besides its operation, in order, and writes one event for the
/// instance when it looks different afterwards.
absl::Status ApplyEffects(Transaction& tx,
                          const Operation& operation,
                          const std::vector<Effect>& effects);

}  // namespace trove::sqlite
