#include "services/taskmanager/process/tree_copy.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include <dirent.h>
#include <linux/fs.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

constexpr int kMostDepth = 64;
constexpr std::int64_t kPiece = std::int64_t{8} << 20;  // between two looks at the clock
constexpr mode_t kModes = 0777;                         // whose s-bits nobody needs
constexpr std::int64_t kBlock = 512;                    // the unit of st_blocks

bool SameTime(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

UniqueFd OpenFolder(int parent, const std::string& name) {
  return UniqueFd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

absl::StatusOr<std::set<std::string>> NamesIn(int folder, const fs::path& path) {
  // A descriptor of its own: the position in a folder belongs to the open file.
  const int own = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return ErrnoStatus(errno, "open " + path.string());
  struct Close {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, Close> open(::fdopendir(own));
  if (open == nullptr) {
    const int error = errno;
    ::close(own);
    return ErrnoStatus(error, "list " + path.string());
  }
  std::set<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.insert(name);
    errno = 0;
  }
  if (errno != 0) return ErrnoStatus(errno, "list " + path.string());
  return names;
}

class Copier {
 public:
  Copier(const Call& call, int uid) : call_(call), uid_(uid) {}

  absl::Status CopyFolder(int from, int to, const fs::path& path, int depth) {
    if (depth > kMostDepth)
      return absl::FailedPreconditionError(path.string() + " is nested too deep");
    TROVE_ASSIGN_OR_RETURN(const std::set<std::string> wanted, NamesIn(from, path));
    TROVE_ASSIGN_OR_RETURN(const std::set<std::string> present, NamesIn(to, path));
    for (const std::string& name : present) {
      if (!wanted.contains(name)) TROVE_RETURN_IF_ERROR(RemoveEntry(to, name, path / name, depth));
    }
    for (const std::string& name : wanted) {
      TROVE_RETURN_IF_ERROR(CheckTime());
      TROVE_RETURN_IF_ERROR(CopyEntry(from, to, name, path / name, depth));
    }
    return absl::OkStatus();
  }

  // The last thing that is done to a folder: until then it is the caller's own.
  absl::Status CopyAttributes(int from, int to, const fs::path& path) const {
    struct stat about {};
    if (::fstat(from, &about) != 0) return ErrnoStatus(errno, "look at " + path.string());
    return SetAttributes(to, about, path);
  }

  absl::Status CheckOwner(int file, const fs::path& path) const {
    struct stat about {};
    if (::fstat(file, &about) != 0) return ErrnoStatus(errno, "look at " + path.string());
    return CheckOwner(about, path);
  }

 private:
  absl::Status CheckTime() const {
    const absl::Status time = call_.Check();
    if (!absl::IsDeadlineExceeded(time)) return time;
    return absl::DeadlineExceededError("copied " + std::to_string(done_ >> 20) + " MiB so far");
  }

  absl::Status CheckOwner(const struct stat& about, const fs::path& path) const {
    if (uid_ == 0 || about.st_uid == static_cast<uid_t>(uid_)) return absl::OkStatus();
    return absl::FailedPreconditionError(path.string() + " belongs to user " +
                                         std::to_string(about.st_uid) + " and not to the guest's");
  }

  absl::Status SetAttributes(int file, const struct stat& like, const fs::path& path) const {
    if (uid_ != 0 && ::fchown(file, static_cast<uid_t>(uid_), static_cast<gid_t>(uid_)) != 0)
      return ErrnoStatus(errno, "chown the copy of " + path.string());
    if (::fchmod(file, like.st_mode & kModes) != 0)
      return ErrnoStatus(errno, "chmod the copy of " + path.string());
    return SetTimes(file, like, path);
  }

  static absl::Status SetTimes(int file, const struct stat& like, const fs::path& path) {
    const std::array<timespec, 2> times = {like.st_atim, like.st_mtim};
    if (::futimens(file, times.data()) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, "set the times of the copy of " + path.string());
  }

  absl::Status RemoveEntry(int folder, const std::string& name, const fs::path& path, int depth) {
    if (depth > kMostDepth)
      return absl::FailedPreconditionError(path.string() + " is nested too deep");
    if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
    if (errno != EISDIR && errno != EPERM) return ErrnoStatus(errno, "remove " + path.string());
    const UniqueFd inner = OpenFolder(folder, name);
    if (!inner) return ErrnoStatus(errno, "open " + path.string());
    TROVE_ASSIGN_OR_RETURN(const std::set<std::string> names, NamesIn(inner.get(), path));
    for (const std::string& each : names)
      TROVE_RETURN_IF_ERROR(RemoveEntry(inner.get(), each, path / each, depth + 1));
    if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, "remove " + path.string());
  }

  absl::Status CopyEntry(
      int from, int to, const std::string& name, const fs::path& path, int depth) {
    struct stat about {};
    if (::fstatat(from, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return absl::UnavailableError(path.string() + " went meanwhile");
      return ErrnoStatus(errno, "look at " + path.string());
    }
    if (S_ISDIR(about.st_mode)) return CopyInner(from, to, name, path, depth);
    if (S_ISREG(about.st_mode)) return CopyFile(from, to, name, path, depth);
    if (S_ISLNK(about.st_mode)) return CopyLink(from, to, name, path, depth);
    // Nothing that outlives its process.
    return RemoveEntry(to, name, path, depth);
  }

  absl::Status CopyInner(
      int from, int to, const std::string& name, const fs::path& path, int depth) {
    const UniqueFd inner_from = OpenFolder(from, name);
    if (!inner_from) return absl::UnavailableError(path.string() + " changed meanwhile");
    TROVE_RETURN_IF_ERROR(CheckOwner(inner_from.get(), path));
    if (::mkdirat(to, name.c_str(), 0700) != 0) {
      if (errno != EEXIST) return ErrnoStatus(errno, "make the copy of " + path.string());
      struct stat there {};
      if (::fstatat(to, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 ||
          !S_ISDIR(there.st_mode)) {
        TROVE_RETURN_IF_ERROR(RemoveEntry(to, name, path, depth));
        if (::mkdirat(to, name.c_str(), 0700) != 0)
          return ErrnoStatus(errno, "make the copy of " + path.string());
      }
    }
    const UniqueFd inner_to = OpenFolder(to, name);
    if (!inner_to) return ErrnoStatus(errno, "open the copy of " + path.string());
    TROVE_RETURN_IF_ERROR(CopyFolder(inner_from.get(), inner_to.get(), path, depth + 1));
    return CopyAttributes(inner_from.get(), inner_to.get(), path);
  }

  absl::Status CopyLink(
      int from, int to, const std::string& name, const fs::path& path, int depth) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(from, name.c_str(), target.data(), target.size() - 1);
    if (length < 0) return absl::UnavailableError(path.string() + " changed meanwhile");
    TROVE_RETURN_IF_ERROR(RemoveEntry(to, name, path, depth));
    if (::symlinkat(target.data(), to, name.c_str()) != 0)
      return ErrnoStatus(errno, "make the copy of " + path.string());
    if (uid_ != 0 && ::fchownat(to,
                                name.c_str(),
                                static_cast<uid_t>(uid_),
                                static_cast<gid_t>(uid_),
                                AT_SYMLINK_NOFOLLOW) != 0)
      return ErrnoStatus(errno, "chown the copy of " + path.string());
    return absl::OkStatus();
  }

  // A copy carries its file's time only as long as all of it up to its own end is right: one that
  // was paused is as long as it is right, and one that was cut off has another time.
  absl::Status CopyFile(
      int from, int to, const std::string& name, const fs::path& path, int depth) {
    const UniqueFd source(
        ::openat(from, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat about {};
    if (!source || ::fstat(source.get(), &about) != 0 || !S_ISREG(about.st_mode))
      return absl::UnavailableError(path.string() + " changed meanwhile");
    TROVE_RETURN_IF_ERROR(CheckOwner(about, path));
    struct stat there {};
    const bool known = ::fstatat(to, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISREG(there.st_mode) && SameTime(there.st_mtim, about.st_mtim) &&
                       there.st_size <= about.st_size;
    if (!known) TROVE_RETURN_IF_ERROR(RemoveEntry(to, name, path, depth));
    const int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC | (known ? 0 : O_CREAT | O_EXCL);
    const UniqueFd copy(::openat(to, name.c_str(), flags, 0600));
    if (!copy) return ErrnoStatus(errno, "make the copy of " + path.string());
    std::int64_t position = known ? there.st_size : 0;
    done_ += position;
    if (position < about.st_size || !known) {
      const bool shared = position == 0 && ::ioctl(copy.get(), FICLONE, source.get()) == 0;
      if (!shared)
        TROVE_RETURN_IF_ERROR(CopyContent(source.get(), copy.get(), position, about, path));
    }
    return SetAttributes(copy.get(), about, path);
  }

  absl::Status CopyContent(
      int from, int to, std::int64_t position, const struct stat& about, const fs::path& path) {
    while (position < about.st_size) {
      const absl::Status time = CheckTime();
      if (!time.ok()) {
        if (::ftruncate(to, position) == 0) SetTimes(to, about, path).IgnoreError();
        return time;
      }
      // Holes stay holes.
      const off_t data = ::lseek(from, position, SEEK_DATA);
      if (data < 0 && errno == ENXIO) break;
      if (data > position) {
        position = std::min<std::int64_t>(data, about.st_size);
        continue;
      }
      const off_t hole = ::lseek(from, position, SEEK_HOLE);
      const std::int64_t end =
          hole < 0 ? about.st_size : std::min<std::int64_t>(hole, about.st_size);
      TROVE_ASSIGN_OR_RETURN(const std::int64_t copied,
                             CopyPiece(from, to, position, std::min(end - position, kPiece), path));
      if (copied == 0) return absl::UnavailableError(path.string() + " became shorter meanwhile");
      position += copied;
      done_ += copied;
    }
    if (::ftruncate(to, about.st_size) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, "write the copy of " + path.string());
  }

  absl::StatusOr<std::int64_t> CopyPiece(
      int from, int to, std::int64_t position, std::int64_t length, const fs::path& path) {
    if (!by_hand_) {
      off_t in = position;
      off_t out = position;
      const ssize_t copied =
          ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(length), 0);
      if (copied >= 0) return copied;
      if (errno == EINTR) return CopyPiece(from, to, position, length, path);
      if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return ErrnoStatus(errno, "copy " + path.string());
      by_hand_ = true;
    }
    if (buffer_.empty()) buffer_.resize(std::size_t{1} << 20);
    const std::size_t wanted = std::min(buffer_.size(), static_cast<std::size_t>(length));
    const ssize_t got = ::pread(from, buffer_.data(), wanted, position);
    if (got < 0) return ErrnoStatus(errno, "read " + path.string());
    ssize_t put = 0;
    while (put < got) {
      const ssize_t wrote =
          ::pwrite(to, buffer_.data() + put, static_cast<std::size_t>(got - put), position + put);
      if (wrote < 0) return ErrnoStatus(errno, "write the copy of " + path.string());
      put += wrote;
    }
    return got;
  }

  const Call& call_;
  const int uid_;
  std::int64_t done_ = 0;
  bool by_hand_ = false;  // the kernel does not copy here
  std::string buffer_;
};

absl::StatusOr<std::int64_t> AllocatedIn(const Call& call,
                                         int folder,
                                         const fs::path& path,
                                         int depth) {
  if (depth > kMostDepth)
    return absl::FailedPreconditionError(path.string() + " is nested too deep");
  TROVE_RETURN_IF_ERROR(call.Check());
  TROVE_ASSIGN_OR_RETURN(const std::set<std::string> names, NamesIn(folder, path));
  std::int64_t bytes = 0;
  for (const std::string& name : names) {
    struct stat about {};
    if (::fstatat(folder, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) continue;  // it went
    bytes += std::int64_t{about.st_blocks} * kBlock;
    if (!S_ISDIR(about.st_mode)) continue;
    const UniqueFd inner = OpenFolder(folder, name);
    if (!inner) continue;  // it went
    TROVE_ASSIGN_OR_RETURN(const std::int64_t below,
                           AllocatedIn(call, inner.get(), path / name, depth + 1));
    bytes += below;
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::int64_t> AllocatedBytes(const Call& call, const fs::path& root) {
  const UniqueFd folder = OpenFolder(AT_FDCWD, root.string());
  if (!folder) return ErrnoStatus(errno, "open " + root.string());
  return AllocatedIn(call, folder.get(), root, 0);
}

absl::Status CopyGuestTree(const Call& call, const fs::path& from, const fs::path& to, int uid) {
  const UniqueFd source = OpenFolder(AT_FDCWD, from.string());
  if (!source) return ErrnoStatus(errno, "open " + from.string());
  TROVE_RETURN_IF_ERROR(MakeDirectory(to, 0700));
  const UniqueFd copy = OpenFolder(AT_FDCWD, to.string());
  if (!copy) return ErrnoStatus(errno, "open " + to.string());
  Copier copier(call, uid);
  TROVE_RETURN_IF_ERROR(copier.CheckOwner(source.get(), from));
  TROVE_RETURN_IF_ERROR(copier.CopyFolder(source.get(), copy.get(), from, 0));
  return copier.CopyAttributes(source.get(), copy.get(), from);
}

bool CanShareSpace(const fs::path& folder) {
  const UniqueFd one(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  const UniqueFd other(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!one || !other || ::pwrite(one.get(), "x", 1, 0) != 1) return false;
  return ::ioctl(other.get(), FICLONE, one.get()) == 0;
}

}  // namespace trove::taskmanager
