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

}  // namespace trove::sqlite
