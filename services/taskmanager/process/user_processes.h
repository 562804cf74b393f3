#pragma once

#include <absl/status/status.h>

#include "libtrove/base/call.h"

namespace trove::taskmanager {

/// Kills every process that runs as `uid` (never 0) and waits until there is none. Errors: those of
/// the call.
absl::Status EndProcessesOfUser(const Call& call, int uid);

}  // namespace trove::taskmanager
