#include "agents/keeper/supervised.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "agents/keeper/log.h"
#include "agents/keeper/proc.h"

namespace trove::keeper {
namespace {

using std::chrono::milliseconds;

UniqueFd OpenPidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // close-on-exec always
}

}  // namespace

Supervised::Supervised(std::string name, LaunchOptions options, RestartBackoff backoff)
    : name_(std::move(name)), options_(std::move(options)), backoff_(backoff) {}

ProcessStatus Supervised::StatusAt(BootTime now) const {
  ProcessStatus status = status_;
  if (start_at_) {
    const auto left = std::chrono::ceil<milliseconds>(*start_at_ - now);
    status.next_start_ms = std::max<std::int64_t>(0, left.count());
  }
  return status;
}

void Supervised::SetRestart(bool restart) {
  status_.restart = restart;
  if (!restart) CancelStart();
}

void Supervised::SetCommand(Command command) {
  command_ = std::move(command);
  backoff_.Reset();
}

void Supervised::Adopt(const ProcessStatus& recorded, bool same_boot) {
  status_ = recorded;
  status_.next_start_ms = -1;
  if (!same_boot) status_.restart = false;
  if (recorded.running && same_boot) {
    // The pidfd first: when the ticks are right after that, it is a handle on the right process.
    UniqueFd pidfd = OpenPidfd(recorded.pid);
    const std::optional<ProcStat> stat = ReadProcStat(recorded.pid);
    if (pidfd && stat && stat->start_ticks == recorded.start_ticks && stat->state != 'Z') {
      pidfd_ = std::move(pidfd);
      status_.adopted = true;
      return;
    }
  }
  if (recorded.running) {
    Clear();
    status_.last_exit = {ExitStatus::Kind::kUnknown, 0, ExitStatus::Cause::kItself, UnixMs()};
  }
  if (status_.restart) start_at_ = Now();
}

void Supervised::Clear() {
  status_.running = false;
  status_.pid = 0;
  status_.start_ticks = 0;
  status_.adopted = false;
  pidfd_.Reset();
  kill_at_.reset();
}

Error Supervised::Start(const std::function<Error()>& persist) {
  cause_ = ExitStatus::Cause::kItself;
  if (std::exchange(start_at_, std::nullopt)) ++status_.restarts;
  const ProcessStatus before = status_;
  const Launched launched = Launch(command_, options_, [&](const Launched& child) {
    status_.running = true;
    status_.pid = child.pid;
    status_.start_ticks = child.start_ticks;
    status_.started_at_ms = UnixMs();
    status_.adopted = false;
    ++status_.starts;
    return persist();
  });
  if (launched.error.empty()) return {};
  status_ = before;
  status_.last_exit = {
      ExitStatus::Kind::kNotStarted, launched.error_number, ExitStatus::Cause::kItself, UnixMs()};
  if (status_.restart) start_at_ = Now() + backoff_.After(milliseconds(0));
  return launched.error;
}

void Supervised::Signal(int signal) const {
  if (pidfd_) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
  } else {
    ::kill(status_.pid, signal);  // our child, not reaped: the pid is its own
  }
}

void Supervised::KillGroup() const {
  ::kill(-status_.pid, SIGKILL);
}

void Supervised::Stop(int signal, milliseconds grace) {
  CancelStart();
  if (!status_.running) return;
  if (cause_ == ExitStatus::Cause::kItself) cause_ = ExitStatus::Cause::kStopped;
  Signal(signal);
  Signal(SIGCONT);  // one that was stopped could not hear it
  const BootTime kill_at = Now() + grace;
  kill_at_ = kill_at_ ? std::min(*kill_at_, kill_at) : kill_at;
}

void Supervised::Kill(ExitStatus::Cause cause) {
  CancelStart();
  if (!status_.running) return;
  cause_ = cause;
  kill_at_.reset();
  KillGroup();  // while its leader lives, the group's id is no other's
  Signal(SIGKILL);
}

void Supervised::Ended(ExitStatus::Kind kind, int value) {
  // What it forked into its group goes with it. While one of the group lives, Linux gives its id to
  // nobody else; but an adopted leader may have been reaped by another, and when it left nobody,
  // its pid may be taken by now.
  const std::optional<ProcStat> stat = ReadProcStat(status_.pid);
  if (!stat || stat->start_ticks == status_.start_ticks) KillGroup();
  const bool by_itself = cause_ == ExitStatus::Cause::kItself;
  const BootTime lived = AgeOf(status_.start_ticks);
  Clear();
  status_.last_exit = {kind, value, cause_, UnixMs()};
  if (status_.restart && by_itself) start_at_ = Now() + backoff_.After(lived);
}

std::optional<BootTime> Supervised::NextDue() const {
  if (start_at_ && kill_at_) return std::min(*start_at_, *kill_at_);
  return start_at_ ? start_at_ : kill_at_;
}

bool Supervised::OnTime(BootTime now) {
  if (kill_at_ && *kill_at_ <= now) {
    Log(Level::kWarning, "grace period passed, killing", {{"process", name_}});
    Kill(ExitStatus::Cause::kKilled);
  }
  return start_at_ && *start_at_ <= now;
}

}  // namespace trove::keeper
