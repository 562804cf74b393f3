#pragma once

#include "trove/rest/v1/version.pb.h"

#include "services/gateway/asked.h"

namespace trove::gateway {

/// The versions of the API, under scheme and host of the request.
rest::v1::ListVersionsResponse VersionsView(const Asked& asked);

}  // namespace trove::gateway
