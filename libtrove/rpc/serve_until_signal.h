#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace trove::rpc {

class Server;

/// Makes SIGTERM and SIGINT wait for WaitForTerminationSignal instead of killing the process, and a
/// broken pipe an error instead of a death. First in main: threads inherit it from the one that
/// starts them.
void BlockTerminationSignals();

/// Waits until SIGTERM or SIGINT arrives and returns its number. Errors: kInternal: the system
/// refused.
absl::StatusOr<int> WaitForTerminationSignal();

/// Serves until SIGTERM or SIGINT arrives, then drains `server`: what a service's main ends with.
absl::Status ServeUntilSignal(Server& server, absl::Duration grace);

}  // namespace trove::rpc
