#pragma once

#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// What a request led to when it was accepted.
struct AcceptedRequest {
  InstanceId instance_id;
  OperationId operation_id;  ///< empty: it was done at once
};

/// The acceptance of the same request within the last day; absent when there was none, or the
/// request has no id. kRequestIdReused: its id came with something else before.
absl::StatusOr<std::optional<AcceptedRequest>> FindRequest(Transaction& tx,
                                                           const Requester& requester);

/// Remembers an acceptance; nothing when the request has no id.
absl::Status SaveRequest(Transaction& tx,
                         const Requester& requester,
                         const AcceptedRequest& accepted);

}  // namespace trove::sqlite
