#include "agents/keeper/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "agents/keeper/privileges.h"
#include "agents/keeper/proc.h"
#include "libtrove/base/unique_fd.h"

namespace trove::keeper {
namespace {

constexpr int kNotExecuted = 127;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

std::optional<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts)
    pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What failed in the child, as it goes through the pipe.
struct Failure {
  enum Step : int { kOutput, kCwd, kOomScore, kExec } step;
  int error_number;
};

std::string NameOf(Failure::Step step, const Command& command) {
  switch (step) {
    case Failure::kOutput:
      return "open " + command.output;
    case Failure::kCwd:
      return "enter " + command.cwd;
    case Failure::kOomScore:
      return "set the oom score";
    case Failure::kExec:
      break;
  }
  return "execute " + command.argv.at(0);
}

std::optional<Failure> Redirect(const std::string& output) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return Failure{Failure::kOutput, errno};
  // O_NONBLOCK for the opening alone: a FIFO that nobody reads must not hold the keeper up.
  const UniqueFd file(
      output.empty()
          ? ::dup(null.get())
          : ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600));
  if (!file) return Failure{Failure::kOutput, errno};
  ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) & ~O_NONBLOCK);
  if (::dup2(null.get(), 0) < 0 || ::dup2(file.get(), 1) < 0 || ::dup2(file.get(), 2) < 0)
    return Failure{Failure::kOutput, errno};
  return std::nullopt;
}

void DefaultSignals() {
  for (int signal = 1; signal < NSIG; ++signal)
    ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Returns only when something failed.
Failure Become(const Command& command, const LaunchOptions& options) {
  DefaultSignals();
  const std::string& cwd = command.cwd.empty() ? options.default_cwd : command.cwd;
  if (!cwd.empty() && ::chdir(cwd.c_str()) != 0) return {Failure::kCwd, errno};
  if (options.oom_score_adj) {
    // Our /proc/self belongs to root after a change of uid; exec would mend that, too late.
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (!SetOomScore(*options.oom_score_adj).empty()) return {Failure::kOomScore, errno};
  }
  if (const std::optional<Failure> failure = Redirect(command.output)) return *failure;
  ::execve(command.argv.at(0).c_str(),
           Pointers(command.argv).data(),
           Pointers(command.environment).data());
  return {Failure::kExec, errno};
}

// The child: waits until it is written down (a byte; the end of the pipe means no), then becomes
// the program, or says in `report` why it could not.
[[noreturn]] void RunChild(const Command& command,
                           const LaunchOptions& options,
                           Pipe go,
                           Pipe report) {
  go.write.Reset();
  report.read.Reset();
  ::setsid();
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(go.read.get(), &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) ::_exit(kNotExecuted);
  const Failure failure = Become(command, options);
  [[maybe_unused]] const ssize_t sent = ::write(report.write.get(), &failure, sizeof(failure));
  ::_exit(kNotExecuted);
}

void Reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

Launched Launch(const Command& command,
                const LaunchOptions& options,
                const std::function<Error(const Launched&)>& commit) {
  std::optional<Pipe> go = MakePipe();
  std::optional<Pipe> report = MakePipe();
  if (!go || !report) return {0, 0, ErrnoError(errno, "pipe"), errno};
  const pid_t pid = ::fork();
  if (pid < 0) return {0, 0, ErrnoError(errno, "fork"), errno};
  if (pid == 0) RunChild(command, options, *std::move(go), *std::move(report));
  go->read.Reset();
  report->write.Reset();

  Launched launched{pid, 0, {}, 0};
  if (const std::optional<ProcStat> stat = ReadProcStat(pid)) {
    launched.start_ticks = stat->start_ticks;
    launched.error = commit(launched);
  } else {
    launched.error = "/proc does not show the new process";
  }
  if (!launched.error.empty()) {
    go->write.Reset();
    Reap(pid);
    return launched;
  }
  [[maybe_unused]] const ssize_t sent = ::write(go->write.get(), "!", 1);

  Failure failure{};
  ssize_t got = 0;
  do {
    got = ::read(report->read.get(), &failure, sizeof(failure));
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof(failure))) {
    launched.error = ErrnoError(failure.error_number, NameOf(failure.step, command));
    launched.error_number = failure.error_number;
    Reap(pid);
  }
  return launched;
}

}  // namespace trove::keeper
