#pragma once

#include <optional>

#include <absl/status/statusor.h>

#include "trove/rest/v1/operation.pb.h"
#include "trove/v1/operation.pb.h"

#include "services/gateway/asked.h"
#include "services/gateway/sent_event.h"

namespace trove::gateway {

/// Errors: kInvalidField: a state that there is not.
absl::StatusOr<v1::ListOperationsRequest> ToListOperations(
    const rest::v1::ListOperationsRequest& document, const Asked& asked);
/// Errors: kInvalidField: a Last-Event-ID that is no version.
absl::StatusOr<v1::GetOperationRequest> ToGetOperation(
    const rest::v1::ShowOperationRequest& document, const Asked& asked);
absl::StatusOr<v1::WatchOperationRequest> ToWatchOperation(
    const rest::v1::ShowOperationRequest& document, const Asked& asked);
absl::StatusOr<v1::CancelOperationRequest> ToCancelOperation(
    const rest::v1::CancelOperationRequest& document, const Asked& asked);
absl::StatusOr<v1::RetryOperationRequest> ToRetryOperation(
    const rest::v1::RetryOperationRequest& document, const Asked& asked);

rest::v1::ListOperationsResponse OperationsView(const v1::ListOperationsResponse& page,
                                                const Asked& asked);
rest::v1::ShowOperationResponse OperationView(const v1::Operation& operation, const Asked& asked);

/// Whether a client that has seen Last-Event-ID has seen the end of the operation.
bool SeenToItsEnd(const v1::Operation& operation, const Asked& asked);

/// The operation as an event; nothing when the client has seen this version.
std::optional<SentEvent> OperationEvent(const v1::Operation& operation, const Asked& asked);

}  // namespace trove::gateway
