#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/keeper/clock.h"
#include "agents/keeper/control_socket.h"
#include "agents/keeper/error.h"
#include "agents/keeper/state_file.h"
#include "agents/keeper/supervised.h"
#include "libtrove/agent/keeper_protocol.h"
#include "libtrove/base/unique_fd.h"

namespace trove::keeper {

/// Why a keeper did not come up.
struct StartError {
  ExitCode code = kExitOk;
  Error text;
};

/// The stable parent of one agent and one database server: one thread, one epoll, asleep unless
/// something happened. Made after privileges are dropped.
class Keeper {
 public:
  /// Takes the guest's lock, checks the generation, blocks the signals it will read, adopts what an
  /// earlier keeper left running, starts the agent and listens. `owner` is the uid that started
  /// this program. Null: `error` says why.
  static std::unique_ptr<Keeper> Start(const Spec& spec, uid_t owner, StartError* error);
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Serves until everything was stopped (StopAll, SIGTERM, SIGINT).
  ExitCode Run();

 private:
  Keeper(const Spec& spec, StateFile file, State state);

  Error OpenDescriptors(uid_t owner);
  void TakeOver(const State& before, bool same_boot);
  KeeperStatus StatusNow() const;
  Error Persist() const;
  void PersistOrWarn() const;
  Reply OkReply() const;
  void Tell(EventKind kind);
  void AnswerAll(std::vector<ConnectionId>& waiting, const Reply& reply);

  // What wakes the loop.
  void ArmTimer() const;
  void OnSignals();
  void OnTimer();
  void OnPidfd(Supervised& process);
  void Reap();

  void StartProcess(Supervised& process);
  void AfterEnd(Supervised& process);
  void WatchPidfd(const Supervised& process, std::uint64_t id) const;
  void StartReplacement();
  void SetDeadline(std::optional<BootTime> deadline);
  void FireDeadline();
  void StopEverything(std::chrono::milliseconds grace);
  void FinishWhenEmpty();

  // Requests (keeper_requests.cc). Each is answered once, some only when the thing is done.
  void OnRequest(ConnectionId from, Trust trust, const Request& request);
  std::optional<Reply> Refusal(Trust trust, const Request& request);
  std::optional<Reply> Fence(const Request& request);
  void Handle(ConnectionId from, const StatusRequest& request);
  void Handle(ConnectionId from, const SubscribeRequest& request);
  void Handle(ConnectionId from, const StartServerRequest& request);
  void Handle(ConnectionId from, const StopServerRequest& request);
  void Handle(ConnectionId from, const KillServerRequest& request);
  void Handle(ConnectionId from, const WaitServerRequest& request);
  void Handle(ConnectionId from, const ArmDeadlineRequest& request);
  void Handle(ConnectionId from, const ReplaceAgentRequest& request);
  void Handle(ConnectionId from, const StopAllRequest& request);

  const Spec spec_;
  const StateFile file_;  // its lock goes last
  KeeperStatus base_;     // all but agent and server
  Supervised agent_;
  Supervised server_;
  int server_stop_signal_ = SIGTERM;
  std::optional<BootTime> deadline_;
  std::optional<Command> replacement_;  // of the agent, which is being stopped for it
  bool stopping_ = false;
  bool done_ = false;

  std::vector<ConnectionId> wait_for_server_end_;
  std::vector<ConnectionId> wait_for_replacement_;
  std::vector<ConnectionId> wait_for_all_stopped_;

  UniqueFd epoll_;
  UniqueFd signals_;
  UniqueFd timer_;
  std::optional<ControlSocket> socket_;
};

}  // namespace trove::keeper
