#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::Status RenewWorker(Transaction& tx, const WorkerId& worker, absl::Duration lease);
absl::Status ReleaseWorker(Transaction& tx, const WorkerId& worker);
absl::StatusOr<bool> HoldLease(Transaction& tx,
                               const std::string& name,
                               const WorkerId& worker,
                               absl::Duration lease);

/// OK while the worker is registered and its lease lives; kStaleOwner otherwise.
absl::Status CheckWorker(Transaction& tx, const WorkerId& worker);

/// Ends the workers whose lease has ended: what they held is free, and operations are due at once.
absl::Status ReapWorkers(Transaction& tx);

/// Whether the worker holds the named lease now.
absl::StatusOr<bool> HoldsLease(Transaction& tx, const std::string& name, const WorkerId& worker);

}  // namespace trove::sqlite
