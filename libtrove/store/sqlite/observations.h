#pragma once

#include <optional>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<std::vector<OperationId>> RecordObservations(
    Transaction& tx, const std::vector<GuestObservation>& observations);
absl::Status RecordSilence(Transaction& tx,
                           const std::vector<std::pair<GuestId, absl::Time>>& silent);
absl::StatusOr<std::optional<OperationId>> RecordJobResult(Transaction& tx,
                                                           const JobResult& result);

}  // namespace trove::sqlite
