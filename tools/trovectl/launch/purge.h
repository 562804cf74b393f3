#pragma once

#include <functional>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "tools/trovectl/launch/layout.h"
#include "tools/trovectl/launch/terminal.h"

namespace trove::trovectl {

/// Deletes every instance of every project of a mesh that serves, with its data, and waits until
/// nothing of them is left. `tend` waits as long as it is told; false: stop waiting. Errors:
/// kFailedPrecondition: for half a minute none went, and what is in the way of each;
/// kDeadlineExceeded names the instances that are left after `limit`; kCancelled; what the api says
/// to a delete.
absl::Status PurgeInstances(const Layout& layout,
                            Terminal& terminal,
                            absl::Duration limit,
                            const std::function<bool(absl::Duration)>& tend);

}  // namespace trove::trovectl
