#pragma once

#include <string>

#include <absl/status/status.h>

#include "libtrove/base/call.h"

namespace trove::taskmanager {

/// Kills every process that runs as `uid` (never 0), stopped ones too, and waits until there is
/// none. Errors: those of the call.
absl::Status EndProcessesOfUser(const Call& call, int uid);

/// The same for every other process of the caller's own user that has `text` in its command line:
/// where guests have no users of their own, a guest's processes are those that name its files.
absl::Status EndProcessesNaming(const Call& call, const std::string& text);

}  // namespace trove::taskmanager
