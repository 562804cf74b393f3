#include <unistd.h>

#include <cerrno>
#include <utility>

#include "agents/keeper/keeper.h"
#include "agents/keeper/log.h"

namespace trove::keeper {
namespace {

// Whether a request is the provisioner's alone.
bool IsOwnersOnly(const Request& request) {
  return std::holds_alternative<ReplaceAgentRequest>(request.what) ||
         std::holds_alternative<StopAllRequest>(request.what);
}

// Whether it starts something, which a keeper on its way out does not do.
bool IsStart(const Request& request) {
  return std::holds_alternative<StartServerRequest>(request.what) ||
         std::holds_alternative<ReplaceAgentRequest>(request.what);
}

}  // namespace

void Keeper::OnRequest(ConnectionId from, Trust trust, const Request& request) {
  if (std::optional<Reply> refusal = Refusal(trust, request)) {
    refusal->status = StatusNow();
    return socket_->Answer(from, *refusal);
  }
  std::visit([&](const auto& own) { Handle(from, own); }, request.what);
}

std::optional<Reply> Keeper::Refusal(Trust trust, const Request& request) {
  if (!request.guest_id.empty() && request.guest_id != spec_.guest_id)
    return Reply{Result::kWrongGuest, "this is the keeper of guest " + spec_.guest_id, {}};
  if (IsOwnersOnly(request) && trust != Trust::kOwner)
    return Reply{Result::kForbidden, "for the provisioner only", {}};
  if (stopping_ && IsStart(request))
    return Reply{Result::kStopping, "everything is being stopped", {}};
  return Fence(request);
}

std::optional<Reply> Keeper::Fence(const Request& request) {
  const std::optional<std::uint64_t> generation = GenerationOf(request);
  if (!generation || *generation == base_.generation) return std::nullopt;
  if (*generation < base_.generation) {
    return Reply{Result::kStaleGeneration,
                 "the request has generation " + std::to_string(*generation) +
                     ", the highest seen is " + std::to_string(base_.generation),
                 {}};
  }
  const std::uint64_t before = std::exchange(base_.generation, *generation);
  Error error = Persist();
  if (error.empty()) return std::nullopt;
  if (std::holds_alternative<StopAllRequest>(request.what)) {
    Log(Level::kWarning, "state not written, stopping all the same", {{"error", error}});
    return std::nullopt;
  }
  base_.generation = before;
  return Reply{Result::kFailed, "the generation cannot be persisted: " + error, {}};
}

void Keeper::Handle(ConnectionId from, const StatusRequest&) {
  socket_->Answer(from, OkReply());
}

void Keeper::Handle(ConnectionId from, const SubscribeRequest&) {
  socket_->Answer(from, OkReply());
  socket_->Subscribe(from);
}

void Keeper::Handle(ConnectionId from, const StartServerRequest& request) {
  if (server_.running()) {
    return socket_->Answer(
        from,
        {Result::kAlreadyRunning, "pid " + std::to_string(server_.status().pid), StatusNow()});
  }
  server_.CancelStart();
  server_.SetCommand(request.command);
  server_.SetRestart(false);  // should it fail, whoever asked hears of it and decides
  server_stop_signal_ = request.stop_signal;
  const Error error = server_.Start([&]() -> Error {
    server_.SetRestart(request.restart);
    return Persist();
  });
  if (!error.empty()) {
    Log(Level::kError, "cannot start", {{"process", "server"}, {"error", error}});
    PersistOrWarn();
    return socket_->Answer(from, {Result::kSpawn, error, StatusNow()});
  }
  Log(Level::kInfo,
      "started",
      {{"process", "server"}, {"pid", std::to_string(server_.status().pid)}});
  socket_->Answer(from, OkReply());
  Tell(EventKind::kServerStarted);
}

void Keeper::Handle(ConnectionId from, const StopServerRequest& request) {
  server_.SetRestart(false);
  server_.Stop(request.signal, request.grace);
  PersistOrWarn();
  if (!server_.running()) return socket_->Answer(from, OkReply());
  wait_for_server_end_.push_back(from);
}

void Keeper::Handle(ConnectionId from, const KillServerRequest&) {
  server_.SetRestart(false);
  server_.Kill(ExitStatus::Cause::kKilled);
  PersistOrWarn();
  if (!server_.running()) return socket_->Answer(from, OkReply());
  wait_for_server_end_.push_back(from);
}

void Keeper::Handle(ConnectionId from, const WaitServerRequest&) {
  if (!server_.running()) return socket_->Answer(from, OkReply());
  wait_for_server_end_.push_back(from);
}

void Keeper::Handle(ConnectionId from, const ArmDeadlineRequest& request) {
  std::optional<BootTime> deadline;
  if (request.after) deadline = Now() + *request.after;
  SetDeadline(deadline);
  socket_->Answer(from, OkReply());
}

void Keeper::Handle(ConnectionId from, const ReplaceAgentRequest& request) {
  const std::string& program = request.agent.argv.at(0);
  if (::access(program.c_str(), X_OK) != 0) {
    return socket_->Answer(from,
                           {Result::kSpawn, ErrnoError(errno, "execute " + program), StatusNow()});
  }
  replacement_ = request.agent;
  wait_for_replacement_.push_back(from);
  agent_.Stop(SIGTERM, request.grace);
  if (!agent_.running()) StartReplacement();
}

void Keeper::Handle(ConnectionId from, const StopAllRequest& request) {
  wait_for_all_stopped_.push_back(from);
  StopEverything(request.grace);
  FinishWhenEmpty();
}

}  // namespace trove::keeper
