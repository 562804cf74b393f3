#include "libtrove/agent/server_process.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::agent {
namespace {

constexpr int kPollMs = 10;

// Somebody from outside: it says nothing of the server.
bool WasKilled(const keeper::ExitStatus& exit) {
  return exit.kind == keeper::ExitStatus::Kind::kSignaled && exit.value == SIGKILL;
}

}  // namespace

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

absl::Status ServerProcess::AwaitAnswer(const Call& call,
                                        const std::function<absl::Status()>& probe,
                                        int most_ends) const {
  TROVE_ASSIGN_OR_RETURN(keeper::ProcessStatus seen, Status(call));
  int ends = 0;
  while (true) {
    const absl::Status answer = probe();
    if (answer.ok() || !absl::IsUnavailable(answer)) return answer;
    TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus now, Status(call));
    if (now.last_exit != seen.last_exit && !WasKilled(now.last_exit)) ++ends;
    if (ends >= most_ends) {
      return absl::FailedPreconditionError("the server ends as soon as it starts");
    }
    if (!now.running && !now.restart) {
      return absl::FailedPreconditionError("the server was stopped while it started");
    }
    seen = now;
    if (const absl::Status late = call.Check(); !late.ok()) {
      return Annotate(late, "wait for the server to answer: " + MessageOf(answer));
    }
    ::poll(nullptr, 0, kPollMs);
  }
}

absl::StatusOr<keeper::ProcessStatus> ServerProcess::Status(const Call& call) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::KeeperStatus status, keeper_.GetStatus(call));
  return status.server;
}

}  // namespace trove::agent
