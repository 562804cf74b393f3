#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/agent/keeper_protocol.h"
#include "libtrove/base/call.h"
#include "libtrove/base/unique_fd.h"

namespace trove::keeper {

/// What a keeper tells without being asked, in order. One thread at a time.
class KeeperEvents {
 public:
  /// For a caller's own poll, once the first event has been taken: readable when Next has something
  /// to say at once.
  int fd() const { return socket_.get(); }

  /// The next event; the very first is kSubscribed and shows how things stood.
  /// Errors: kUnavailable: the keeper is gone (agent and server may well run on; subscribe anew);
  /// kDeadlineExceeded and kCancelled: no event in this call, ask again; kInternal: not a keeper.
  absl::StatusOr<Event> Next(const Call& call);

 private:
  friend class KeeperClient;
  KeeperEvents(UniqueFd socket, KeeperStatus status);

  UniqueFd socket_;
  std::unique_ptr<Event> first_;
};

/// Talks to the keeper of one guest. Each call is a connection of its own. Thread-safe.
///
/// All calls return the keeper's status just after the thing was done, or one of these errors:
///   kUnavailable        nobody listens, the keeper ended before it answered (what was asked may
///   have
///                       been done), it is stopping, or it has too many connections
///   kAborted            stale generation: somebody with a newer claim on this guest has been here;
///                       the message names both generations
///   kAlreadyExists      StartServer: it runs already
///   kFailedPrecondition the program could not be executed, or another guest's keeper listens there
///   kPermissionDenied   not for this uid
///   kInvalidArgument    the keeper refused the request's form, or it is larger than a frame
///   kDeadlineExceeded, kCancelled   the call ended first; what was asked may still be done
///   kInternal           the keeper could not write its state, or the other side is no keeper
class KeeperClient {
 public:
  /// `guest_id` may be empty: any guest's keeper will do.
  KeeperClient(std::string socket_path, std::string guest_id);

  absl::StatusOr<KeeperStatus> GetStatus(const Call& call) const;
  /// Returns when exec has succeeded; readiness is the caller's business.
  absl::StatusOr<KeeperStatus> StartServer(const Call& call, StartServerRequest request) const;
  /// These two return when the server has ended; `server.last_exit` says how. OK when none ran.
  absl::StatusOr<KeeperStatus> StopServer(const Call& call, StopServerRequest request) const;
  absl::StatusOr<KeeperStatus> KillServer(const Call& call, KillServerRequest request) const;
  /// Returns when the server that runs now has ended; at once when none runs.
  absl::StatusOr<KeeperStatus> WaitServer(const Call& call) const;
  absl::StatusOr<KeeperStatus> ArmDeadline(const Call& call, ArmDeadlineRequest request) const;
  /// Returns when the new agent has been executed. Write the spec file anew before.
  absl::StatusOr<KeeperStatus> ReplaceAgent(const Call& call, ReplaceAgentRequest request) const;
  /// Returns when nothing of the guest is left and the keeper has exited.
  absl::StatusOr<KeeperStatus> StopAll(const Call& call, StopAllRequest request) const;

  /// Events from now on. Errors: as above.
  absl::StatusOr<std::unique_ptr<KeeperEvents>> Subscribe(const Call& call) const;

  const std::string& socket_path() const { return socket_path_; }

 private:
  absl::StatusOr<UniqueFd> Send(const Call& call, Request request) const;
  absl::StatusOr<KeeperStatus> Ask(const Call& call, Request request) const;

  std::string socket_path_;
  std::string guest_id_;
};

/// Starts `binary` (trove-keeper) with the spec file `spec_path`, detached from the caller: it is
/// nobody's child that would have to be reaped. Returns when it listens and has tried to start its
/// agent. As root the file must belong to root and be writable for nobody else.
/// Errors: kAlreadyExists: another keeper holds the guest; kAborted: the spec's generation is
/// stale; kInvalidArgument: the spec cannot be read; kFailedPrecondition: anything else the keeper
/// met, in its words; kUnavailable: a signal ended it; kDeadlineExceeded, kCancelled: the call
/// ended first. After the last three the keeper may yet come up.
absl::Status StartKeeper(const Call& call,
                         const std::filesystem::path& binary,
                         const std::filesystem::path& spec_path);

}  // namespace trove::keeper
