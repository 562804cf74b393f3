#pragma once

#include "services/gateway/endpoints.h"

namespace trove::gateway {

/// PUT of an instance: the change that takes an operation, then the new name, which nothing
/// refuses any more then.
Endpoint UpdateCall(ApiClient& api);

/// PATCH of an instance.
Endpoint EditCall(ApiClient& api);

}  // namespace trove::gateway
