#pragma once

#include "libtrove/base/call.h"
#include "libtrove/base/id.h"
#include "libtrove/bus/bus.h"

namespace trove::conductor {

/// Tells the task managers that an operation is due. A hint: what is lost is found by their own
/// look each second.
void WakeTaskManagers(const Call& call, Bus& bus, const OperationId& operation);

}  // namespace trove::conductor
