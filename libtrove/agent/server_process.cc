#include "libtrove/agent/server_process.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "libtrove/base/status_macros.h"

namespace trove::agent {

absl::Status ServerProcess::Start(const Call& call,
                                  const keeper::Command& command,
                                  int stop_signal) const {
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const keeper::KeeperStatus now, keeper_.GetStatus(call));
    // One that is kept running by the keeper is what was asked for. Another one is on its way out:
    // somebody stopped it, or its deadline has passed.
    if (now.server.running && now.server.restart) return absl::OkStatus();
    if (now.server.running) TROVE_RETURN_IF_ERROR(keeper_.WaitServer(call).status());
    keeper::StartServerRequest request;
    request.generation = std::max<std::uint64_t>(now.generation, 1);
    request.command = command;
    request.restart = true;
    request.stop_signal = stop_signal;
    const absl::Status status = keeper_.StartServer(call, std::move(request)).status();
    // Aborted: a newer claim came between the two requests, and the next look knows it.
    if (!absl::IsAlreadyExists(status) && !absl::IsAborted(status)) return status;
    TROVE_RETURN_IF_ERROR(call.Check());
  }
}

absl::Status ServerProcess::Stop(const Call& call, int signal, absl::Duration grace) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::KeeperStatus now, keeper_.GetStatus(call));
  keeper::StopServerRequest request;
  request.generation = std::max<std::uint64_t>(now.generation, 1);
  request.signal = signal;
  // Leaves the keeper a moment to kill what does not end.
  const absl::Duration limit = std::max(absl::ZeroDuration(), call.Remaining() - absl::Seconds(1));
  request.grace = absl::ToChronoMilliseconds(std::min(grace, limit));
  return keeper_.StopServer(call, request).status();
}

absl::StatusOr<keeper::ProcessStatus> ServerProcess::Status(const Call& call) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::KeeperStatus status, keeper_.GetStatus(call));
  return status.server;
}

}  // namespace trove::agent
