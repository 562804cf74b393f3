#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "libtrove/agent/keeper_protocol.h"

namespace trove::keeper {

enum class Mode {
  kHelp,
  kKeep,  ///< --spec FILE [--detach]
  kExec,  ///< --exec --uid N --gid N [--cgroup DIR]... -- COMMAND [ARGUMENT]...
};

/// The command line, understood.
struct Options {
  Mode mode = Mode::kKeep;
  std::string spec_path;
  bool detach = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<std::string> cgroups;
  std::vector<std::string> command;
};

/// Errors name the flag.
Parsed<Options> ParseOptions(const std::vector<std::string>& arguments);

/// Keeps a guest until it is stopped. With `detach` the work is done by a child in the background
/// and this returns when that has come up, or with its exit code when it could not.
ExitCode RunKeeper(const Options& options);

/// Joins the cgroups, drops to uid and gid as a keeper does and becomes the command. Returns only
/// when that failed.
ExitCode RunExec(const Options& options);

}  // namespace trove::keeper
