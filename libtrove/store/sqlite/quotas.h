#pragma once

#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/model/quota.h"
#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// As the method of Store.
absl::StatusOr<std::vector<Quota>> GetQuotas(Transaction& tx, const ProjectId& project);

/// kQuotaExceeded when `deltas` do not fit.
absl::Status CheckQuota(Transaction& tx,
                        const ProjectId& project,
                        const std::vector<QuotaDelta>& deltas);

/// Counts `deltas` as used by an instance that is in its table.
absl::Status Charge(Transaction& tx,
                    const ProjectId& project,
                    const InstanceId& instance,
                    const std::vector<QuotaDelta>& deltas);

/// Gives back what an instance was charged; a second time gives nothing.
absl::Status GiveBack(Transaction& tx, const ProjectId& project, const InstanceId& instance);

/// What an instance is charged for one resource from now on. What `operation` had set aside of it
/// is used up.
absl::Status SetInstanceCharge(Transaction& tx,
                               const ProjectId& project,
                               const InstanceId& instance,
                               const OperationId& operation,
                               QuotaResource resource,
                               std::int64_t amount);

/// Sets aside what an operation may take besides what its instance has. kQuotaExceeded.
absl::Status Reserve(Transaction& tx,
                     const ProjectId& project,
                     const InstanceId& instance,
                     const OperationId& operation,
                     const std::vector<QuotaDelta>& deltas);
/// Sets aside again what is still missing of it. kQuotaExceeded.
absl::Status ReserveAgain(Transaction& tx,
                          const ProjectId& project,
                          const InstanceId& instance,
                          const OperationId& operation);
/// Gives back what an operation has set aside; a second time gives nothing.
absl::Status Unreserve(Transaction& tx, const ProjectId& project, const OperationId& operation);

}  // namespace trove::sqlite
