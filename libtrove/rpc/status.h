#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace trove::rpc {

/// The one way from our errors to the wire. Code and message go as they are; every payload (the
/// ErrorDetail of libtrove/model/errors.h above all) becomes a detail of a google.rpc.Status in the
/// trailer grpc-status-details-bin. A status without an ErrorDetail gets the one that fits its
/// code.
///
/// Of kInternal, kUnknown and kDataLoss a client sees only "internal error, request id …"; the rest
/// is logged here.
grpc::Status ToGrpc(const absl::Status& status, std::string_view request_id);

/// The way back: code, message and details as payloads.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace trove::rpc
