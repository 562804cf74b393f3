#include "tools/trovectl/launch/supervisor.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "tools/trovectl/launch/process.h"
#include "tools/trovectl/launch/signals.h"

namespace trove::trovectl {
namespace {

constexpr absl::Duration kBetweenProbes = absl::Milliseconds(10);
constexpr absl::Duration kWhileReviving = absl::Milliseconds(50);
constexpr int kLogLines = 12;

std::string Milliseconds(absl::Duration time) {
  return std::to_string(absl::ToInt64Milliseconds(time)) + " ms";
}

std::uintmax_t SizeOf(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  return error ? 0 : size;
}

// What was written to the log since `from`, its last lines.
std::string LogTail(const std::filesystem::path& file, std::uintmax_t from) {
  const absl::StatusOr<std::string> log = ReadFile(file, std::size_t{1} << 30);
  if (log.ok() && log->size() < from) from = 0;  // it was rotated meanwhile
  if (!log.ok() || log->size() <= from) return "it wrote nothing to " + file.string();
  std::string text = log->substr(from);
  std::size_t at = text.size() - (text.back() == '\n' ? 1 : 0);
  for (int line = 0; line < kLogLines && at != std::string::npos && at > 0; ++line)
    at = text.rfind('\n', at - 1);
  if (at != std::string::npos && at > 0) text.erase(0, at + 1);
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return file.string() + " says:\n" + text;
}

std::string HowItEnded(int wait_status) {
  if (WIFEXITED(wait_status)) return "exited with " + std::to_string(WEXITSTATUS(wait_status));
  return "was ended by signal " + std::to_string(WTERMSIG(wait_status));
}

}  // namespace

Supervisor::~Supervisor() {
  StopAll();
}

absl::Status Supervisor::Launch(Child& child) {
  child.log_from = SizeOf(child.spec.program.output);
  TROVE_ASSIGN_OR_RETURN(child.pid, Spawn(child.spec.program));
  child.ready = false;
  child.started_at = absl::Now();
  child.start_again_at = absl::InfiniteFuture();
  child.silent_since = absl::InfiniteFuture();
  child.answered_at = absl::InfinitePast();
  // One that died at once leaves no mark and is reaped soon.
  if (const auto mark = MarkProcess(child.pid); mark.ok())
    TROVE_RETURN_IF_ERROR(WriteFileAtomically(child.spec.pid_file, MarkText(*mark), 0600));
  return absl::OkStatus();
}

// True: it has ended, and `how` says how.
bool Supervisor::Reap(Child& child, std::string* how) {
  int wait_status = 0;
  if (child.pid == 0 || ::waitpid(child.pid, &wait_status, WNOHANG) != child.pid) return false;
  child.pid = 0;
  child.ready = false;
  std::error_code error;
  std::filesystem::remove(child.spec.pid_file, error);
  *how = HowItEnded(wait_status);
  return true;
}

void Supervisor::HearSignals(absl::Duration limit) {
  const int signal = WaitForSignal(limit);
  if (signal != 0 && signal != SIGCHLD) ++signals_;
}

absl::Status Supervisor::Start(ChildSpec spec) {
  Child& child = children_.emplace_back();
  child.spec = std::move(spec);
  TROVE_RETURN_IF_ERROR(Launch(child));
  const absl::Time deadline = child.started_at + options_.start_limit;
  while (true) {
    const absl::Status probed = child.spec.probe(CallFor(options_.probe_limit));
    if (probed.ok()) break;
    std::string how;
    if (Reap(child, &how)) {
      return absl::UnavailableError(child.spec.name + " " + how + " instead of serving; " +
                                    LogTail(child.spec.program.output, child.log_from));
    }
    if (signals_ > 0) return absl::CancelledError("stopped while " + child.spec.name + " started");
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(
          child.spec.name + " does not serve after " + Milliseconds(options_.start_limit) + " (" +
          MessageOf(probed) + "); " + LogTail(child.spec.program.output, child.log_from));
    }
    HearSignals(kBetweenProbes);
  }
  child.ready = true;
  child.answered_at = absl::Now();
  child.probe_at = child.answered_at + options_.probe_every;
  return absl::OkStatus();
}

void Supervisor::StartAgainLater(Child& child, const std::string& why) {
  const absl::Duration wait = BackoffDelay(options_.restart, child.attempts++);
  child.start_again_at = absl::Now() + wait;
  terminal_.Line(child.spec.name + " " + why + "; it is started again in " + Milliseconds(wait));
}

// One step towards a process that serves again.
void Supervisor::Revive(Child& child) {
  if (child.pid == 0 && absl::Now() >= child.start_again_at) {
    if (const absl::Status launched = Launch(child); !launched.ok())
      StartAgainLater(child, "cannot be started: " + MessageOf(launched));
  }
  if (child.pid == 0 || child.ready) return;
  if (!child.spec.probe(CallFor(options_.probe_limit)).ok()) {
    if (absl::Now() - child.started_at >= options_.start_limit)
      KillHung(child, absl::Now() - child.started_at);
    return;
  }
  child.ready = true;
  child.answered_at = absl::Now();
  child.probe_at = child.answered_at + options_.probe_every;
  terminal_.Line(child.spec.name + " serves again after " +
                 Milliseconds(absl::Now() - child.started_at));
}

// It may be stopped by a signal, wait for ever, or turn in circles: there is no asking it.
void Supervisor::KillHung(Child& child, absl::Duration silence) {
  terminal_.Line(child.spec.name + " (pid " + std::to_string(child.pid) +
                 ") has not answered for " + Milliseconds(silence) + " and is killed");
  ::kill(child.pid, SIGKILL);
  child.probe_at = absl::Now() + options_.probe_again;  // it is reaped sooner
}

// Asks one that serves whether it still does.
void Supervisor::Check(Child& child) {
  if (!child.ready || absl::Now() < child.probe_at) return;
  const absl::Status answer = child.spec.probe(CallFor(options_.probe_limit));
  const absl::Time now = absl::Now();
  // One that says that it cannot serve now, as another one is away, does not hang.
  const bool answered = answer.ok() || absl::IsFailedPrecondition(answer);
  child.probe_at = now + (answered ? options_.probe_every : options_.probe_again);
  if (answered) {
    child.answered_at = now;
    child.silent_since = absl::InfiniteFuture();
    return;
  }
  // From the first probe that failed: if it was the launcher that stood still, nobody was silent.
  child.silent_since = std::min(child.silent_since, now);
  if (options_.hang_limit > absl::ZeroDuration() && now - child.silent_since >= options_.hang_limit)
    KillHung(child, now - child.silent_since);
}

void Supervisor::LookAtLogs() {
  if (absl::Now() < look_at_logs_at_) return;
  look_at_logs_at_ = absl::Now() + options_.look_at_logs_every;
  std::vector<std::filesystem::path> files = logs_;
  for (const Child& child : children_)
    files.push_back(child.spec.program.output);
  for (const std::filesystem::path& file : files) {
    const absl::Status rotated = RotateLog(file, options_.logs);
    if (!rotated.ok()) terminal_.Line("a log stays long: " + MessageOf(rotated));
  }
}

absl::Time Supervisor::NextChore() const {
  absl::Time next = look_at_logs_at_;
  for (const Child& child : children_)
    next = std::min(next, child.ready ? child.probe_at : absl::Now() + kWhileReviving);
  return next;
}

bool Supervisor::Tend(absl::Duration limit) {
  const absl::Time until = absl::Now() + limit;
  while (signals_ == 0) {
    for (Child& child : children_) {
      const bool settled = child.ready && child.answered_at - child.started_at >= options_.settled;
      if (std::string how; Reap(child, &how)) {
        if (settled) child.attempts = 0;
        StartAgainLater(child, how);
      }
      if (!child.ready) Revive(child);
      Check(child);
    }
    LookAtLogs();
    if (absl::Now() >= until) return signals_ == 0;
    HearSignals(std::min(until, NextChore()) - absl::Now());
  }
  return false;
}

void Supervisor::Stop(Child& child) {
  std::string how;
  if (child.pid == 0 || Reap(child, &how)) return;
  const absl::Time begun = absl::Now();
  ::kill(child.pid, SIGTERM);
  ::kill(child.pid, SIGCONT);  // one that is stopped hears it only then
  const int signals_before = signals_;
  while (!Reap(child, &how)) {
    HearSignals(absl::Milliseconds(50));
    if (absl::Now() - begun < options_.stop_limit && signals_ == signals_before) continue;
    terminal_.Line(child.spec.name + " takes too long to stop and is killed");
    ::kill(child.pid, SIGKILL);
    while (!Reap(child, &how))
      HearSignals(absl::Milliseconds(10));
  }
  terminal_.Line("stopped  " + child.spec.name + "  " + Milliseconds(absl::Now() - begun));
}

void Supervisor::StopAll() {
  for (; !children_.empty(); children_.pop_back())
    Stop(children_.back());
}

}  // namespace trove::trovectl
