#pragma once

#include <absl/status/status.h>

#include "services/gateway/http_message.h"

namespace trove::gateway {

/// The answer to a request that failed: {"badRequest": {"code": 400, "message": "why"}} by the row
/// of the reason that `status` carries (libtrove/model/errors.h). A 401 names `origin`
/// ("http://host:port") as where to ask for a token; a status that says when to try again gets
/// Retry-After.
HttpResponse FaultResponse(const absl::Status& status, const std::string& origin = "");

}  // namespace trove::gateway
