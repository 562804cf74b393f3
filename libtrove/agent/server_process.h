#pragma once

#include <functional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/agent/keeper_client.h"
#include "libtrove/base/call.h"

namespace trove::agent {

/// The database server as a process: the keeper's child, so that it outlives the agent. The agent
/// acts with the highest generation that its keeper has seen: whose claim is the newest was decided
/// when its job was taken. Thread-safe.
class ServerProcess {
 public:
  /// `keeper` must outlive this object.
  explicit ServerProcess(const keeper::KeeperClient& keeper) : keeper_(keeper) {}

  /// Starts the server, unless it runs; the keeper starts it again when it ends by itself.
  absl::Status Start(const Call& call, const keeper::Command& command, int stop_signal) const;

  /// Sends `signal` and waits until it has ended; kills it when `grace` is over or shortly before
  /// the call ends.
  absl::Status Stop(const Call& call, int signal, absl::Duration grace) const;

  /// Asks `probe` until it is OK, or fails with something that waiting does not mend: anything but
  /// kUnavailable. Errors: kFailedPrecondition: meanwhile the server ended by itself `most_ends`
  /// times, or nobody keeps it running; those of the call, with what the probe said last.
  absl::Status AwaitAnswer(const Call& call,
                           const std::function<absl::Status()>& probe,
                           int most_ends) const;

  /// How the process is, as the keeper knows it.
  absl::StatusOr<keeper::ProcessStatus> Status(const Call& call) const;

 private:
  const keeper::KeeperClient& keeper_;
};

}  // namespace trove::agent
