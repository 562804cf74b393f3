#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <grpcpp/channel.h>

#include "libtrove/base/call.h"

namespace trove::rpc {

/// Asks the health service behind `channel` and waits. OK: it serves. `service` is a full name, or
/// empty for the server as a whole. Errors: kUnavailable: not reached, or NOT_SERVING; kNotFound:
/// no such service there.
absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel,
                         const Call& call,
                         const std::string& service = "");

}  // namespace trove::rpc
