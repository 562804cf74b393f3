#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::Status RecordAudit(Transaction& tx, const AuditEntry& entry);
absl::StatusOr<std::vector<AuditEntry>> ListAudit(Transaction& tx,
                                                  const AuditFilter& filter,
                                                  std::int64_t before,
                                                  int limit);

/// What was accepted and where it led.
struct Acceptance {
  std::string fallback;  ///< the action's word when the requester names none
  std::string resource;
  OperationId operation_id;
  bool repeated = false;
};

/// Records that a request was accepted.
absl::Status AuditAccepted(Transaction& tx,
                           const Requester& requester,
                           const Acceptance& acceptance);

/// The statement behind a list, for those who check how it is run.
const std::string& ListAuditSql(const AuditFilter& filter);

}  // namespace trove::sqlite
