#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agents/keeper/error.h"
#include "libtrove/agent/keeper_protocol.h"

namespace trove::keeper {

struct LaunchOptions {
  std::string default_cwd;           ///< for a command that names none
  std::optional<int> oom_score_adj;  ///< empty: inherited
};

struct Launched {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  Error error;           ///< empty: the program runs
  int error_number = 0;  ///< errno of what failed, when it was a system call
};

/// Starts a program as a child with its own session, default signals and no descriptor of ours.
/// Before it is executed `commit` is told its pid and start ticks, to write them down: when commit
/// fails, or this process is killed meanwhile, the program never runs. So no program runs that
/// no file knows.
Launched Launch(const Command& command,
                const LaunchOptions& options,
                const std::function<Error(const Launched&)>& commit);

}  // namespace trove::keeper
