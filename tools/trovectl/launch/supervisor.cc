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

constexpr absl::Duration kProbeLimit = absl::Milliseconds(1000);
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
    const absl::Status probed = child.spec.probe(CallFor(kProbeLimit));
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
  return absl::OkStatus();
}

// One step towards a process that serves again.
void Supervisor::Revive(Child& child) {
  if (child.pid == 0 && absl::Now() >= child.start_again_at) {
    if (const absl::Status launched = Launch(child); !launched.ok()) {
      const absl::Duration wait = BackoffDelay(options_.restart, child.attempts++);
      child.start_again_at = absl::Now() + wait;
      terminal_.Line(child.spec.name + " cannot be started: " + MessageOf(launched));
    }
  }
  if (child.pid == 0 || child.ready) return;
  if (!child.spec.probe(CallFor(kProbeLimit)).ok()) return;
  child.ready = true;
  terminal_.Line(child.spec.name + " serves again after " +
                 Milliseconds(absl::Now() - child.started_at));
}

bool Supervisor::Tend(absl::Duration limit) {
  const absl::Time until = absl::Now() + limit;
  while (signals_ == 0) {
    bool all_ready = true;
    for (Child& child : children_) {
      const bool settled = child.ready && absl::Now() - child.started_at >= options_.settled;
      if (std::string how; Reap(child, &how)) {
        if (settled) child.attempts = 0;
        const absl::Duration wait = BackoffDelay(options_.restart, child.attempts++);
        child.start_again_at = absl::Now() + wait;
        terminal_.Line(child.spec.name + " " + how + "; it is started again in " +
                       Milliseconds(wait));
      }
      if (!child.ready) Revive(child);
      all_ready = all_ready && child.ready;
    }
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) return signals_ == 0;
    HearSignals(all_ready ? left : std::min(left, kWhileReviving));
  }
  return false;
}

void Supervisor::Stop(Child& child) {
  std::string how;
  if (child.pid == 0 || Reap(child, &how)) return;
  const absl::Time begun = absl::Now();
  ::kill(child.pid, SIGTERM);
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
