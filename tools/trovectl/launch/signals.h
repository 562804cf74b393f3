#pragma once

#include <absl/time/time.h>

namespace trove::trovectl {

/// Makes SIGINT, SIGTERM, SIGHUP and SIGCHLD wait for WaitForSignal. Before any thread starts.
void BlockLauncherSignals();

/// Waits up to `limit` for one of them and returns its number; 0: none came.
int WaitForSignal(absl::Duration limit);

}  // namespace trove::trovectl
