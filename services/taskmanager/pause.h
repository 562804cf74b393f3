#pragma once

#include <stop_token>

#include <absl/time/time.h>

namespace trove::taskmanager {

/// Waits for `duration`, or less when `stop` is set. True: the whole time has passed.
bool Pause(std::stop_token stop, absl::Duration duration);

}  // namespace trove::taskmanager
