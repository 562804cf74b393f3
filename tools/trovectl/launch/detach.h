#pragma once

#include <functional>

#include <absl/status/statusor.h>

#include "tools/trovectl/launch/terminal.h"

namespace trove::trovectl {

/// Runs `work` in a process of its own session and returns when that says that it is ready. Until
/// then its terminal is the caller's. `work` gets that terminal and what to call when it is ready;
/// its result is the exit code of its process. Returns 0, or the exit code (never 0) of a process
/// that ended before it was ready. To be called before any thread starts. Errors: kUnavailable: no
/// process can be made.
absl::StatusOr<int> RunDetached(
    const std::function<int(Terminal&, const std::function<void()>& ready)>& work);

}  // namespace trove::trovectl
