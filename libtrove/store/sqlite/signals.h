#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// Gives an operation a signal, at the time of `tx`. True: it waited for that and has become due.
/// Nothing happens when it has ended or is unknown.
absl::StatusOr<bool> PostSignal(Transaction& tx,
                                const OperationId& id,
                                const std::string& name,
                                const std::string& payload);

/// What an operation was given and has not consumed, oldest first.
absl::StatusOr<std::vector<Signal>> LoadSignals(Transaction& tx, const OperationId& id);

absl::Status ConsumeSignals(Transaction& tx,
                            const OperationId& id,
                            const std::vector<std::string>& names);

/// Whether such a signal waits for the operation.
absl::StatusOr<bool> HasSignal(Transaction& tx, const OperationId& id, const std::string& name);

}  // namespace trove::sqlite
