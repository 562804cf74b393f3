#include "services/taskmanager/process/user_processes.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>

#include "libtrove/base/check.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::taskmanager {
namespace {

constexpr int kPollMs = 5;

// Signals each process of the user; how many there were, zombies (whose owner is no longer shown
// once they are reaped) included.
int KillAll(int uid) {
  int count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, parsed] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed != std::errc() || end != name.data() + name.size()) continue;
    struct stat owner {};
    if (::stat(entry.path().c_str(), &owner) != 0) continue;
    if (owner.st_uid != static_cast<uid_t>(uid)) continue;
    ++count;
    ::kill(pid, SIGKILL);
  }
  return count;
}

}  // namespace

absl::Status EndProcessesOfUser(const Call& call, int uid) {
  TROVE_CHECK(uid > 0);
  while (KillAll(uid) > 0) {
    TROVE_RETURN_IF_ERROR(
        Annotate(call.Check(), "end the processes of user " + std::to_string(uid)));
    ::poll(nullptr, 0, kPollMs);
  }
  return absl::OkStatus();
}

}  // namespace trove::taskmanager
