#include "libtrove/agent/server_process.h"

#include <algorithm>
#include <utility>

#include "libtrove/base/status_macros.h"

namespace trove::agent {

absl::Status ServerProcess::Start(const Call& call,
                                  const keeper::Command& command,
                                  int stop_signal) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::KeeperStatus now, keeper_.GetStatus(call));
  keeper::StartServerRequest request;
  request.generation = now.generation;
  request.command = command;
  request.restart = true;
  request.stop_signal = stop_signal;
  const absl::Status status = keeper_.StartServer(call, std::move(request)).status();
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::Status ServerProcess::Stop(const Call& call, int signal, absl::Duration grace) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::KeeperStatus now, keeper_.GetStatus(call));
  keeper::StopServerRequest request;
  request.generation = now.generation;
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
