#include "agents/keeper/keeper.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "agents/keeper/log.h"
#include "agents/keeper/proc.h"

namespace trove::keeper {
namespace {

using std::chrono::milliseconds;

// What the epoll names its descriptors; connections come after these.
enum Watched : std::uint64_t { kSignals = 1, kTimer, kListener, kAgentPidfd, kServerPidfd };
static_assert(kServerPidfd < kFirstConnection);

RestartBackoff BackoffOf(const Spec& spec) {
  return RestartBackoff(spec.backoff_initial, spec.backoff_max, spec.backoff_stable);
}

Error Watch(int epoll_fd, int fd, std::uint64_t id) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return ErrnoError(errno, "epoll");
}

// The signals that the loop reads instead of being interrupted by them.
sigset_t OurSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT})
    sigaddset(&signals, signal);
  return signals;
}

std::string Describe(const ExitStatus& exit) {
  switch (exit.kind) {
    case ExitStatus::Kind::kExited:
      return "code " + std::to_string(exit.value);
    case ExitStatus::Kind::kSignaled:
      return "signal " + std::to_string(exit.value);
    default:
      return "unknown";
  }
}

}  // namespace

Keeper::Keeper(const Spec& spec, StateFile file, State state)
    : spec_(spec),
      file_(std::move(file)),
      base_(std::move(state.status)),
      agent_("agent", {spec.guest_dir, {}}, BackoffOf(spec)),
      server_("server", {spec.guest_dir, spec.server_oom_score_adj}, BackoffOf(spec)),
      server_stop_signal_(state.server_stop_signal) {
  base_.protocol = kProtocolVersion;
  base_.guest_id = spec.guest_id;
  base_.mesh_id = spec.mesh_id;
  base_.stopping = false;
  base_.keeper_pid = ::getpid();
  base_.keeper_started_at_ms = UnixMs();
  if (const auto stat = ReadProcStat(::getpid())) base_.keeper_start_ticks = stat->start_ticks;
  agent_.SetCommand(spec.agent);
  server_.SetCommand(std::move(state.server));
}

std::unique_ptr<Keeper> Keeper::Start(const Spec& spec, uid_t owner, StartError* error) {
  bool held = false;
  Parsed<StateFile> file = StateFile::Open(spec.guest_dir, &held);
  if (!file.value) {
    *error = {held ? kExitLocked : kExitFailure, std::move(file.error)};
    return nullptr;
  }
  Parsed<State> read = file.value->Read();
  if (!read.value) {
    *error = {kExitFailure, std::move(read.error)};
    return nullptr;
  }
  State before = *std::move(read.value);
  const std::string& known = before.status.guest_id;
  if (!known.empty() && known != spec.guest_id) {
    *error = {kExitFailure, spec.guest_dir + " is the directory of guest " + known};
    return nullptr;
  }
  const std::uint64_t highest = before.status.generation;
  if (spec.generation != 0 && spec.generation < highest) {
    *error = {kExitStaleGeneration,
              "STALE_GENERATION: the spec has " + std::to_string(spec.generation) +
                  ", the highest seen is " + std::to_string(highest)};
    return nullptr;
  }
  const std::string boot_id = ReadBootId();
  const bool same_boot = !boot_id.empty() && before.status.boot_id == boot_id;

  std::unique_ptr<Keeper> keeper(new Keeper(spec, *std::move(file.value), before));
  keeper->base_.boot_id = boot_id;
  keeper->base_.generation = std::max(highest, spec.generation);
  if (Error failed = keeper->OpenDescriptors(owner); !failed.empty()) {
    *error = {kExitFailure, std::move(failed)};
    return nullptr;
  }
  keeper->agent_.Adopt(before.status.agent, same_boot);
  keeper->server_.Adopt(before.status.server, same_boot);
  // A full disk does not keep a database from being looked after, but a claim must be on it.
  if (Error failed = keeper->Persist(); !failed.empty()) {
    if (spec.generation > highest) {
      *error = {kExitFailure, std::move(failed)};
      return nullptr;
    }
    Log(Level::kWarning, "state not written", {{"error", failed}});
  }
  keeper->TakeOver(before, same_boot);
  return keeper;
}

Error Keeper::OpenDescriptors(uid_t owner) {
  for (const int signal : {SIGHUP, SIGPIPE})
    std::signal(signal, SIG_IGN);
  const sigset_t signals = OurSignals();
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return ErrnoError(errno, "block signals");
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  timer_ = UniqueFd(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!epoll_ || !signals_ || !timer_) return ErrnoError(errno, "open descriptors");
  if (Error error = Watch(epoll_.get(), signals_.get(), kSignals); !error.empty()) return error;
  if (Error error = Watch(epoll_.get(), timer_.get(), kTimer); !error.empty()) return error;
  Parsed<ControlSocket> socket =
      ControlSocket::Listen(spec_.socket, owner, epoll_.get(), kListener);
  if (!socket.value) return std::move(socket.error);
  socket_.emplace(*std::move(socket.value));
  return {};
}

void Keeper::TakeOver(const State& before, bool same_boot) {
  Log(Level::kInfo,
      "keeper started",
      {{"guest", spec_.guest_id},
       {"generation", std::to_string(base_.generation)},
       {"pid", std::to_string(base_.keeper_pid)}});
  for (const Supervised* process : {&agent_, &server_}) {
    if (!process->running()) continue;
    Log(Level::kInfo,
        "adopted what an earlier keeper started",
        {{"process", process->name()}, {"pid", std::to_string(process->status().pid)}});
  }
  WatchPidfd(agent_, kAgentPidfd);
  WatchPidfd(server_, kServerPidfd);
  if (before.status.server.running && !server_.running()) {
    Log(Level::kWarning, "the server ended while no keeper was there");
  }
  if (same_boot) deadline_ = file_.ReadDeadline(base_.boot_id);
  agent_.SetRestart(true);
  if (!agent_.running()) {
    agent_.CancelStart();  // of an earlier keeper; this start is the spec's
    StartProcess(agent_);
  }
}

KeeperStatus Keeper::StatusNow() const {
  const BootTime now = Now();
  KeeperStatus status = base_;
  status.stopping = stopping_;
  status.agent = agent_.StatusAt(now);
  status.server = server_.StatusAt(now);
  status.deadline_ms = -1;
  if (deadline_) {
    const auto left = std::chrono::ceil<milliseconds>(*deadline_ - now);
    status.deadline_ms = std::max<std::int64_t>(0, left.count());
  }
  return status;
}

Error Keeper::Persist() const {
  return file_.Write({StatusNow(), server_.command(), server_stop_signal_});
}

void Keeper::PersistOrWarn() const {
  if (const Error error = Persist(); !error.empty())
    Log(Level::kWarning, "state not written", {{"error", error}});
}

Reply Keeper::OkReply() const {
  return {Result::kOk, {}, StatusNow()};
}

void Keeper::Tell(EventKind kind) {
  socket_->Publish({kind, StatusNow()});
}

void Keeper::AnswerAll(std::vector<ConnectionId>& waiting, const Reply& reply) {
  for (const ConnectionId id : std::exchange(waiting, {}))
    socket_->Answer(id, reply);
}

ExitCode Keeper::Run() {
  while (!done_) {
    ArmTimer();
    std::array<epoll_event, 8> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    if (count < 0 && errno != EINTR) {
      Log(Level::kError, "epoll_wait failed", {{"error", ErrnoError(errno, "epoll_wait")}});
      return kExitFailure;
    }
    for (int i = 0; i < count && !done_; ++i) {
      switch (const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64) {
        case kSignals:
          OnSignals();
          break;
        case kTimer:
          OnTimer();
          break;
        case kListener:
          socket_->OnListener();
          break;
        case kAgentPidfd:
          OnPidfd(agent_);
          break;
        case kServerPidfd:
          OnPidfd(server_);
          break;
        default:
          socket_->OnConnection(id, [this](ConnectionId from, Trust trust, const Request& request) {
            OnRequest(from, trust, request);
          });
      }
    }
  }
  Log(Level::kInfo, "keeper ends, everything is stopped");
  return kExitOk;
}

void Keeper::ArmTimer() const {
  std::optional<BootTime> due = deadline_;
  for (const Supervised* process : {&agent_, &server_}) {
    const std::optional<BootTime> next = process->NextDue();
    if (next && (!due || *next < *due)) due = next;
  }
  itimerspec when{};
  if (due) {
    const BootTime at = std::max(*due, BootTime(1));  // 0 would disarm
    const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
    when.it_value.tv_sec = seconds.count();
    when.it_value.tv_nsec = (at - seconds).count();
  }
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Keeper::OnSignals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGCHLD) continue;  // one may stand for many: Reap looks for itself
    Log(Level::kInfo, "asked to stop", {{"signal", std::to_string(info.ssi_signo)}});
    StopEverything(spec_.stop_grace);
  }
  Reap();
}

void Keeper::Reap() {
  while (!done_) {
    siginfo_t info{};
    // First look, then act while its pid is still its own, then reap.
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) break;
    const auto kind =
        info.si_code == CLD_EXITED ? ExitStatus::Kind::kExited : ExitStatus::Kind::kSignaled;
    Supervised* ended = nullptr;
    for (Supervised* process : {&agent_, &server_}) {
      if (process->running() && process->status().pid == info.si_pid && process->pidfd() < 0)
        ended = process;
    }
    if (ended != nullptr) ended->Ended(kind, info.si_status);
    siginfo_t reaped{};
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &reaped, WEXITED | WNOHANG);
    if (ended != nullptr) AfterEnd(*ended);
  }
  FinishWhenEmpty();
}

void Keeper::OnPidfd(Supervised& process) {
  if (process.pidfd() < 0) return;
  process.Ended(ExitStatus::Kind::kUnknown, 0);
  AfterEnd(process);
  FinishWhenEmpty();
}

void Keeper::OnTimer() {
  std::uint64_t expirations = 0;
  [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &expirations, sizeof(expirations));
  const BootTime now = Now();
  if (deadline_ && *deadline_ <= now) FireDeadline();
  for (Supervised* process : {&agent_, &server_}) {
    if (process->OnTime(now)) StartProcess(*process);
  }
}

void Keeper::WatchPidfd(const Supervised& process, std::uint64_t id) const {
  if (process.pidfd() < 0) return;
  if (const Error error = Watch(epoll_.get(), process.pidfd(), id); !error.empty())
    Log(Level::kError, "an adopted process is not watched", {{"error", error}});
}

// A start that nobody waits for: the first of the agent, and every restart.
void Keeper::StartProcess(Supervised& process) {
  const bool is_agent = &process == &agent_;
  const Error error = process.Start([&]() -> Error {
    Error failed = Persist();
    // Without its agent a guest with a full disk could not even be mended.
    if (!is_agent || failed.empty()) return failed;
    Log(Level::kWarning, "state not written", {{"error", failed}});
    return {};
  });
  if (!error.empty()) {
    Log(Level::kError, "cannot start", {{"process", process.name()}, {"error", error}});
    PersistOrWarn();
    return;
  }
  Log(Level::kInfo,
      "started",
      {{"process", process.name()}, {"pid", std::to_string(process.status().pid)}});
  Tell(is_agent ? EventKind::kAgentStarted : EventKind::kServerStarted);
}

void Keeper::AfterEnd(Supervised& process) {
  Log(Level::kInfo,
      "ended",
      {{"process", process.name()}, {"how", Describe(process.status().last_exit)}});
  PersistOrWarn();
  const bool is_agent = &process == &agent_;
  Tell(is_agent ? EventKind::kAgentExited : EventKind::kServerExited);
  if (!is_agent) {
    AnswerAll(wait_for_server_end_, OkReply());
  } else if (replacement_) {
    StartReplacement();
  }
}

void Keeper::StartReplacement() {
  Command old = agent_.command();
  agent_.SetCommand(*std::exchange(replacement_, std::nullopt));
  agent_.SetRestart(false);  // should it fail, the old one is next
  const Error error = agent_.Start([this] { return Persist(); });
  agent_.SetRestart(true);
  if (error.empty()) {
    Log(Level::kInfo, "agent replaced", {{"pid", std::to_string(agent_.status().pid)}});
    Tell(EventKind::kAgentStarted);
    return AnswerAll(wait_for_replacement_, OkReply());
  }
  Log(Level::kError, "cannot replace the agent", {{"error", error}});
  agent_.SetCommand(std::move(old));
  StartProcess(agent_);
  AnswerAll(wait_for_replacement_, {Result::kSpawn, error, StatusNow()});
}

void Keeper::SetDeadline(std::optional<BootTime> deadline) {
  deadline_ = deadline;
  if (const Error error = file_.WriteDeadline(base_.boot_id, deadline); !error.empty())
    Log(Level::kWarning, "deadline not written", {{"error", error}});
}

void Keeper::FireDeadline() {
  Log(Level::kWarning, "the armed deadline has passed, killing the server");
  server_.SetRestart(false);
  server_.Kill(ExitStatus::Cause::kDeadline);
  SetDeadline(std::nullopt);
  PersistOrWarn();
  Tell(EventKind::kDeadlineFired);
}

void Keeper::StopEverything(milliseconds grace) {
  const bool first = !std::exchange(stopping_, true);
  agent_.SetRestart(false);
  server_.SetRestart(false);
  agent_.Stop(SIGTERM, grace);
  server_.Stop(server_stop_signal_, grace);
  if (first) {
    replacement_.reset();
    AnswerAll(wait_for_replacement_,
              {Result::kStopping, "everything is being stopped", StatusNow()});
    PersistOrWarn();
    Tell(EventKind::kStopping);
  }
}

void Keeper::FinishWhenEmpty() {
  if (!stopping_ || agent_.running() || server_.running()) return;
  // What they left behind came to us, being a subreaper. The end of each wakes the loop again, and
  // by then its own children are ours.
  const std::vector<pid_t> left = ChildrenOfSelf();
  for (const pid_t pid : left)
    ::kill(pid, SIGKILL);
  if (!left.empty()) return;
  if (deadline_) SetDeadline(std::nullopt);
  PersistOrWarn();
  AnswerAll(wait_for_all_stopped_, OkReply());
  done_ = true;
}

}  // namespace trove::keeper
