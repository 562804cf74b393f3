#include "services/taskmanager/process/user_processes.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <functional>
#include <iterator>
#include <system_error>

#include "libtrove/base/check.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

constexpr int kPollMs = 5;

// Whether it has ended and only waits to be reaped, which may be long where nobody does. A process
// whose first thread has ended looks the same as long as others live.
bool IsDead(const fs::path& process) {
  const absl::StatusOr<std::string> stat = ReadFile(process / "stat");
  if (!stat.ok()) return true;
  const std::size_t name_end = stat->rfind(')');  // the name may hold anything
  if (name_end == std::string::npos || name_end + 2 >= stat->size()) return false;
  if ((*stat)[name_end + 2] != 'Z') return false;
  std::error_code error;
  fs::directory_iterator threads(process / "task", error);
  return error || std::distance(begin(threads), end(threads)) <= 1;
}

bool IsOwnedBy(const fs::path& process, uid_t uid) {
  struct stat owner {};
  return ::stat(process.c_str(), &owner) == 0 && owner.st_uid == uid;
}

// Kills each process that `is_meant`; how many of them have not ended yet.
int KillEach(const std::function<bool(const fs::path& process)>& is_meant) {
  int count = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, parsed] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed != std::errc() || end != name.data() + name.size() || pid == ::getpid()) continue;
    // Held by a descriptor before it is looked at: the number may be another process's by the time
    // of the signal.
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process || !is_meant(entry.path())) continue;
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
    if (!IsDead(entry.path())) ++count;
  }
  return count;
}

absl::Status EndEach(const Call& call,
                     const std::string& whose,
                     const std::function<bool(const fs::path& process)>& is_meant) {
  while (KillEach(is_meant) > 0) {
    TROVE_RETURN_IF_ERROR(Annotate(call.Check(), "end the processes " + whose));
    ::poll(nullptr, 0, kPollMs);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status EndProcessesOfUser(const Call& call, int uid) {
  TROVE_CHECK(uid > 0);
  return EndEach(call, "of user " + std::to_string(uid), [uid](const fs::path& process) {
    return IsOwnedBy(process, static_cast<uid_t>(uid));
  });
}

absl::Status EndProcessesNaming(const Call& call, const std::string& text) {
  TROVE_CHECK(!text.empty());
  return EndEach(call, "that name " + text, [&text](const fs::path& process) {
    if (!IsOwnedBy(process, ::geteuid())) return false;
    const absl::StatusOr<std::string> command = ReadFile(process / "cmdline");
    return command.ok() && command->find(text) != std::string::npos;
  });
}

}  // namespace trove::taskmanager
