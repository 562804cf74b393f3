#include "libtrove/store/sqlite/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "libtrove/base/status.h"

namespace trove::sqlite {

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Open(const std::string& path) {
  const std::string name = path + ".lock";
  UniqueFd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return ErrnoStatus(errno, "open " + name);
  return std::unique_ptr<FileLock>(new FileLock(std::move(fd)));
}

absl::Status FileLock::Lock() {
  while (::flock(fd_.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoStatus(errno, "lock the store");
  }
  return absl::OkStatus();
}

void FileLock::Unlock() {
  ::flock(fd_.get(), LOCK_UN);
}

}  // namespace trove::sqlite
