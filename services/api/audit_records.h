#pragma once

#include <absl/status/status.h>

#include "trove/v1/audit.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/store/store.h"
#include "services/api/policy.h"

namespace trove::api {

/// Who changed what, for admins. Thread-safe.
class AuditRecords {
 public:
  /// `store` must outlive this object.
  explicit AuditRecords(Store& store) : store_(store) {}

  absl::Status List(const Call& call,
                    const Caller& caller,
                    const v1::ListAuditRecordsRequest& request,
                    v1::ListAuditRecordsResponse* response);

 private:
  Store& store_;
};

}  // namespace trove::api
