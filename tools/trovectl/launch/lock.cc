#include "tools/trovectl/launch/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::trovectl {

absl::StatusOr<LauncherLock> LauncherLock::Take(const Layout& layout) {
  UniqueFd fd(::open(layout.Lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return ErrnoStatus(errno, "open " + layout.Lock().string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "lock " + layout.Lock().string());
    const absl::StatusOr<std::string> text = ReadFile(layout.Lock());
    const absl::StatusOr<ProcessMark> mark = ParseMark(text.ok() ? *text : "");
    return absl::AlreadyExistsError(
        "another trovectl" + (mark.ok() ? " (pid " + std::to_string(mark->pid) + ")" : "") +
        " runs the mesh in " + layout.data_dir.string() +
        " already: stop it with `trovectl down`, or start another mesh with --data-dir");
  }
  TROVE_ASSIGN_OR_RETURN(const ProcessMark mark, MarkProcess(::getpid()));
  const std::string text = MarkText(mark);
  if (::ftruncate(fd.get(), 0) != 0 ||
      ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return ErrnoStatus(errno, "write " + layout.Lock().string());
  return LauncherLock(std::move(fd));
}

absl::StatusOr<ProcessMark> FindLauncher(const Layout& layout) {
  const absl::Status none = absl::NotFoundError("no mesh runs in " + layout.data_dir.string());
  UniqueFd fd(::open(layout.Lock().c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return none;
    return ErrnoStatus(errno, "open " + layout.Lock().string());
  }
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return none;
  TROVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(layout.Lock()));
  TROVE_ASSIGN_OR_RETURN(ProcessMark mark, ParseMark(text));
  if (!IsAlive(mark)) return none;
  return mark;
}

}  // namespace trove::trovectl
