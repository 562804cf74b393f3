#include "tools/trovectl/launch/down.h"

#include <poll.h>
#include <signal.h>

#include <cerrno>
#include <string>
#include <system_error>

#include <absl/time/clock.h>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "tools/trovectl/launch/last_options.h"
#include "tools/trovectl/launch/lock.h"
#include "tools/trovectl/launch/purge.h"
#include "tools/trovectl/launch/signals.h"

namespace trove::trovectl {
namespace {

constexpr absl::Duration kStopLimit = absl::Minutes(2);  // of five processes, each with its drain
constexpr absl::Duration kPurgeLimit = absl::Minutes(10);

}  // namespace

absl::Status StopMesh(const Layout& layout, Terminal& terminal) {
  const absl::StatusOr<ProcessMark> launcher = FindLauncher(layout);
  if (launcher.ok()) {
    if (::kill(launcher->pid, SIGTERM) != 0) {
      return ErrnoStatus(errno, "stop the launcher, pid " + std::to_string(launcher->pid));
    }
    const absl::Time deadline = absl::Now() + kStopLimit;
    while (IsAlive(*launcher)) {
      if (absl::Now() >= deadline) {
        return absl::DeadlineExceededError("the launcher, pid " + std::to_string(launcher->pid) +
                                           ", does not end; " + layout.Log("launcher").string() +
                                           " says more");
      }
      ::poll(nullptr, 0, 20);
    }
    terminal.Line("stopped  the mesh in " + layout.data_dir.string());
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(launcher.status())) return launcher.status();
  TROVE_ASSIGN_OR_RETURN(const std::vector<std::string> ended, EndLeftovers(layout));
  for (const std::string& name : ended)
    terminal.Line("ended    " + name + ", which a launcher that was killed had left");
  if (ended.empty()) terminal.Line("no mesh runs in " + layout.data_dir.string());
  return absl::OkStatus();
}

absl::Status RemoveInstancesAndStop(const Layout& layout, Terminal& terminal) {
  std::error_code error;
  if (!std::filesystem::exists(layout.StoreFile(), error))
    return StopMesh(layout, terminal);  // there never was a mesh, hence no instance
  const absl::StatusOr<ProcessMark> launcher = FindLauncher(layout);
  if (launcher.ok()) {
    TROVE_RETURN_IF_ERROR(PurgeInstances(layout, terminal, kPurgeLimit, [](absl::Duration time) {
      const int signal = WaitForSignal(time);
      return signal == 0 || signal == SIGCHLD;
    }));
    return StopMesh(layout, terminal);
  }
  if (!absl::IsNotFound(launcher.status())) return launcher.status();
  terminal.Line("no mesh runs in " + layout.data_dir.string() +
                ": it is started to delete its instances");
  TROVE_ASSIGN_OR_RETURN(MeshOptions options, LastOptions(layout));
  options.ports = {.rest = 0, .grpc = 0};  // whatever is free: no client has to find them
  return RunMesh(options, terminal, [&terminal](const Mesh& mesh) {
    return PurgeInstances(mesh.layout, terminal, kPurgeLimit, [&mesh](absl::Duration time) {
      return mesh.supervisor.Tend(time);
    });
  });
}

}  // namespace trove::trovectl
