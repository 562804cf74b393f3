#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// What a request led to when it was accepted.
struct AcceptedRequest {
  InstanceId instance_id;    ///< empty: it is about none
  OperationId operation_id;  ///< empty: it was done at once
  std::string resource;      ///< as the audit record names it
  std::string answer;        ///< what the first caller was told
};

/// The acceptance of the same request within the last day; absent when there was none, or the
/// request has no id. kRequestIdReused: its id came with something else before.
absl::StatusOr<std::optional<AcceptedRequest>> FindRequest(Transaction& tx,
                                                           const Requester& requester);

/// Remembers an acceptance; nothing when the request has no id.
absl::Status SaveRequest(Transaction& tx,
                         const Requester& requester,
                         const AcceptedRequest& accepted);

/// Forgets, with the answers, at most `limit` of what is too old to be repeated. Returns how many.
absl::StatusOr<int> SweepRequests(Transaction& tx, int limit);

}  // namespace trove::sqlite
