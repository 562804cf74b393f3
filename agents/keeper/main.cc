#include <cstdio>
#include <string>
#include <vector>

#include "agents/keeper/run.h"

namespace {

constexpr char kHelp[] =
    R"(trove-keeper: the stable parent of one guest's agent and database server

  trove-keeper --spec FILE [--detach]
      Keeps the guest that FILE describes, until it is stopped over its socket or by SIGTERM.
      --detach: in the background; returns when the keeper has come up.

  trove-keeper --exec --uid N --gid N [--cgroup DIR]... -- /COMMAND [ARGUMENT]...
      Joins the cgroups, gives up all privileges and executes the command.

Ends with 0; 1: failed; 64: wrong flag or spec; 75: another keeper holds the guest;
76: the spec's generation is stale.
)";

}  // namespace

int main(int argc, char** argv) {
  using namespace trove::keeper;  // NOLINT(google-build-using-namespace): main is all it is for
  const Parsed<Options> options = ParseOptions(std::vector<std::string>(argv + 1, argv + argc));
  if (!options.value) {
    std::fprintf(stderr, "trove-keeper: %s (see --help)\n", options.error.c_str());
    return kExitUsage;
  }
  switch (options.value->mode) {
    case Mode::kHelp:
      std::fputs(kHelp, stdout);
      return kExitOk;
    case Mode::kKeep:
      return RunKeeper(*options.value);
    case Mode::kExec:
      return RunExec(*options.value);
  }
  return kExitFailure;
}
