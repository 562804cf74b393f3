#include "libtrove/base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>

#include "libtrove/base/check.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove {
namespace {

constexpr std::size_t kMostOutput = 64 << 10;
// How late a cancelled call, or the end of a program that no longer has the pipe, may be noticed.
constexpr absl::Duration kPoll = absl::Milliseconds(50);
constexpr absl::Duration kPollClosed = absl::Milliseconds(2);

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() { posix_spawnattr_init(&attributes_); }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts)
    pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// `output_fd` >= 0 receives stdout and stderr.
absl::StatusOr<pid_t> SpawnTo(const ProgramSpec& spec, int output_fd, bool new_group) {
  TROVE_CHECK(!spec.argv.empty());
  FileActions actions;
  posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDONLY, 0);
  if (output_fd >= 0) {
    posix_spawn_file_actions_adddup2(actions.get(), output_fd, 1);
    posix_spawn_file_actions_adddup2(actions.get(), output_fd, 2);
  } else if (!spec.output.empty()) {
    posix_spawn_file_actions_addopen(
        actions.get(), 1, spec.output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(actions.get(), 1, 2);
  }
  posix_spawn_file_actions_addclosefrom_np(actions.get(), 3);

  Attributes attributes;
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (spec.new_session) flags |= POSIX_SPAWN_SETSID;
  if (new_group) flags |= POSIX_SPAWN_SETPGROUP;
  posix_spawnattr_setflags(attributes.get(), flags);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(attributes.get(), &none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigdefault(attributes.get(), &all);

  pid_t pid = 0;
  const int error = posix_spawn(&pid,
                                spec.argv[0].c_str(),
                                actions.get(),
                                attributes.get(),
                                Pointers(spec.argv).data(),
                                Pointers(spec.environment).data());
  if (error != 0) {
    const bool to_file = output_fd < 0 && !spec.output.empty();
    return ErrnoStatus(
        error, "start " + spec.argv[0] + (to_file ? ", output " + spec.output.string() : ""));
  }
  return pid;
}

int ExitCode(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

// Whether waitpid(pid) would not wait; also when somebody else reaped it.
bool HasEnded(pid_t pid) {
  siginfo_t info{};
  const int error = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
  return error == 0 ? info.si_pid == pid : errno == ECHILD;
}

// Appends what can be read without waiting, about kMostOutput at a time (also what a pipe holds),
// since the other side may write as fast as we read. False: it is closed for good.
bool ReadAvailable(int fd, std::string& output) {
  char buffer[16384];
  for (std::size_t total = 0; total < kMostOutput;) {
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    output.append(buffer, static_cast<std::size_t>(got));
    total += static_cast<std::size_t>(got);
    if (output.size() > 2 * kMostOutput) output.erase(0, output.size() - kMostOutput);
  }
  return true;
}

// Collects what `pid` writes until it has ended, which is not when the pipe closes: a program may
// close its output early, and what it leaves behind may keep it open.
absl::Status CollectUntilEnd(const Call& call, pid_t pid, int fd, std::string& output) {
  bool open = true;
  while (!HasEnded(pid)) {
    TROVE_RETURN_IF_ERROR(call.Check());
    pollfd waiting{fd, POLLIN, 0};
    const absl::Duration wait = std::min(open ? kPoll : kPollClosed, call.Remaining());
    const auto wait_ms =
        static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
    if (::poll(&waiting, open ? 1 : 0, wait_ms) > 0) open = ReadAvailable(fd, output);
  }
  if (open) ReadAvailable(fd, output);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<pid_t> Spawn(const ProgramSpec& spec) {
  return SpawnTo(spec, -1, false);
}

absl::StatusOr<ProgramResult> RunProgram(const Call& call, ProgramSpec spec) {
  TROVE_RETURN_IF_ERROR(call.Check());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  spec.new_session = false;
  TROVE_ASSIGN_OR_RETURN(const pid_t pid, SpawnTo(spec, write_end.get(), true));
  write_end.Reset();

  ProgramResult result;
  const absl::Status ran = CollectUntilEnd(call, pid, read_end.get(), result.output);
  ::kill(-pid, SIGKILL);  // before the pid is reaped, so that the group is still this one
  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0) {
    if (errno != EINTR) return ErrnoStatus(errno, "wait for " + spec.argv[0]);
  }
  if (!ran.ok()) return Annotate(ran, "run " + spec.argv[0]);
  if (result.output.size() > kMostOutput)
    result.output.erase(0, result.output.size() - kMostOutput);
  result.exit_code = ExitCode(wait_status);
  return result;
}

absl::StatusOr<std::uint64_t> ProcessStartTicks(pid_t pid) {
  TROVE_ASSIGN_OR_RETURN(const std::string stat,
                         ReadFile("/proc/" + std::to_string(pid) + "/stat"));
  // The name in parentheses may hold anything, so count from the last one.
  const std::size_t end = stat.rfind(')');
  if (end == std::string::npos)
    return absl::InternalError("unreadable /proc stat of " + std::to_string(pid));
  std::istringstream fields(stat.substr(end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field)
    fields >> skipped;
  std::uint64_t ticks = 0;
  if (!(fields >> ticks))
    return absl::InternalError("unreadable /proc stat of " + std::to_string(pid));
  return ticks;
}

absl::StatusOr<std::string> BootId() {
  TROVE_ASSIGN_OR_RETURN(std::string id, ReadFile("/proc/sys/kernel/random/boot_id"));
  while (!id.empty() && id.back() == '\n')
    id.pop_back();
  return id;
}

absl::StatusOr<std::filesystem::path> FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path == nullptr ? "" : path) +
                             ":/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (folder.empty()) continue;
    const std::filesystem::path candidate = std::filesystem::path(folder) / name;
    std::error_code error;
    if (std::filesystem::is_regular_file(candidate, error) &&
        ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return absl::NotFoundError("the program " + name + " is not installed");
}

}  // namespace trove
