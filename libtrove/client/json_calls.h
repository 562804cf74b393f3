#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <grpcpp/channel.h>

#include "libtrove/base/call.h"
#include "libtrove/rpc/outgoing_call.h"

namespace trove::client {

/// Names of the services that the server at the other end of `channel` has.
absl::StatusOr<std::vector<std::string>> ListServicesByReflection(
    const Call& call, const std::shared_ptr<grpc::Channel>& channel);

/// Calls `package.Service/Method` (also `package.Service.Method`) with a request in JSON; unary and
/// server-streaming. Errors: kInvalidArgument: not such a name, or JSON that does not fit;
/// kNotFound: no such method; kUnimplemented: it takes a stream; else the server's.
absl::StatusOr<std::vector<std::string>> CallByReflection(
    const Call& call,
    const std::shared_ptr<grpc::Channel>& channel,
    const rpc::CallExtras& extras,
    const std::string& method,
    const std::string& request_json);

}  // namespace trove::client
