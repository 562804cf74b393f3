#include "libtrove/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"
#include "libtrove/base/uuid.h"

namespace trove {
namespace {

absl::Status WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "write");
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteNew(const std::filesystem::path& path, std::string_view content, mode_t mode) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return ErrnoStatus(errno, "create " + path.string());
  if (::fchmod(fd.get(), mode) != 0) return ErrnoStatus(errno, "chmod " + path.string());
  TROVE_RETURN_IF_ERROR(Annotate(WriteAll(fd.get(), content), path.string()));
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "fsync " + path.string());
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "open " + path.string());
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "fsync " + path.string());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, std::size_t most) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "open " + path.string());
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "read " + path.string());
    }
    if (got == 0) return content;
    content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > most) {
      return absl::ResourceExhaustedError(path.string() + " is larger than " +
                                          std::to_string(most) + " bytes");
    }
  }
}

absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::string_view content,
                                 mode_t mode) {
  const std::filesystem::path beside = path.string() + "." + RandomHex(4) + ".tmp";
  absl::Status status = WriteNew(beside, content, mode);
  if (status.ok() && ::rename(beside.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, "rename to " + path.string());
  }
  if (!status.ok()) {
    ::unlink(beside.c_str());
    return status;
  }
  return SyncDirectory(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

absl::Status MakeDirectory(const std::filesystem::path& path, mode_t mode) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (error) return ErrnoStatus(error.value(), "create folder " + path.parent_path().string());
  // Closed to others until it has its mode.
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return ErrnoStatus(errno, "create folder " + path.string());
  if (!std::filesystem::is_directory(path, error))
    return ErrnoStatus(ENOTDIR, "create folder " + path.string());
  if (::chmod(path.c_str(), mode) != 0) return ErrnoStatus(errno, "chmod " + path.string());
  return absl::OkStatus();
}

absl::Status MakePrivateDirectory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return ErrnoStatus(errno, "create folder " + path.string());
  // Checked and changed through one descriptor: nobody can put another thing there in between.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (!fd || ::fstat(fd.get(), &found) != 0 || found.st_uid != ::geteuid()) {
    return absl::PermissionDeniedError(path.string() + " is there and is not a folder of user " +
                                       std::to_string(::geteuid()));
  }
  if (::fchmod(fd.get(), 0700) != 0) return ErrnoStatus(errno, "chmod " + path.string());
  return absl::OkStatus();
}

absl::Status RemoveTree(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return ErrnoStatus(error.value(), "remove " + path.string());
  return absl::OkStatus();
}

absl::Status SyncFileSystem(const std::filesystem::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "open " + folder.string());
  if (::syncfs(fd.get()) != 0) return ErrnoStatus(errno, "write through " + folder.string());
  return absl::OkStatus();
}

absl::StatusOr<std::filesystem::path> ExecutableDirectory() {
  std::error_code error;
  const std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return ErrnoStatus(error.value(), "read /proc/self/exe");
  return binary.parent_path();
}

}  // namespace trove
