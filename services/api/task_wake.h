#pragma once

#include "libtrove/base/call.h"
#include "libtrove/base/id.h"
#include "libtrove/bus/bus.h"

namespace trove::api {

/// Tells the task managers that an operation is due. A hint: they look for themselves each second.
void WakeTaskManagers(const Call& call, Bus& bus, const OperationId& operation);

}  // namespace trove::api
