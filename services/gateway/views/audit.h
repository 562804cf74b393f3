#pragma once

#include <absl/status/statusor.h>

#include "trove/rest/v1/audit.pb.h"
#include "trove/v1/audit.pb.h"

#include "services/gateway/asked.h"

namespace trove::gateway {

absl::StatusOr<v1::ListAuditRecordsRequest> ToListAuditRecords(
    const rest::v1::ListAuditRecordsRequest& document, const Asked& asked);
rest::v1::ListAuditRecordsResponse AuditRecordsView(const v1::ListAuditRecordsResponse& page,
                                                    const Asked& asked);

}  // namespace trove::gateway
