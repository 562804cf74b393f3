#include "services/taskmanager/process/volume_snapshots.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include <linux/fs.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"
#include "services/taskmanager/process/tree_copy.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

// A turn may take minutes to come: whoever asks had better ask again than wait.
constexpr absl::Duration kTurnWait = absl::Seconds(2);
constexpr int kTurnPollMs = 20;
constexpr std::size_t kMostName = 64;
// Left free for whoever else writes while a copy is made.
constexpr std::int64_t kMargin = std::int64_t{64} << 20;

absl::Status CheckName(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kMostName &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                    });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError("a snapshot's name has 1 to 64 of a-z, 0-9 and -: " + name);
}

bool Exists(const fs::path& path) {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0;
}

std::string InGib(std::int64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(
      text.data(), text.size(), "%.2f GiB", static_cast<double>(bytes) / (std::int64_t{1} << 30));
  return text.data();
}

absl::StatusOr<std::vector<fs::path>> EntriesOf(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    entries.push_back(at->path());
  if (error && error != std::errc::no_such_file_or_directory)
    return ErrnoStatus(error.value(), "list " + folder.string());
  return entries;
}

}  // namespace

absl::StatusOr<VolumeSnapshots> VolumeSnapshots::Open(fs::path folder, int copies) {
  TROVE_RETURN_IF_ERROR(MakeDirectory(folder, 0700));
  // After a reboot nobody knows what of a half-made copy has reached the disk.
  TROVE_ASSIGN_OR_RETURN(const std::string boot, BootId());
  return VolumeSnapshots(std::move(folder), boot.substr(0, 8), copies);
}

absl::StatusOr<UniqueFd> VolumeSnapshots::TakeTurn(const Call& call) const {
  const Call waiting = call.Within(kTurnWait);
  while (true) {
    for (int i = 0; i < copies_; ++i) {
      const fs::path path = folder_ / (".copy-" + std::to_string(i) + ".lock");
      UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      if (!fd) return ErrnoStatus(errno, "open " + path.string());
      if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
      if (errno != EWOULDBLOCK && errno != EINTR)
        return ErrnoStatus(errno, "lock " + path.string());
    }
    TROVE_RETURN_IF_ERROR(Annotate(waiting.Check(),
                                   "wait for one of " + std::to_string(copies_) +
                                       " other volumes that are being copied on this host"));
    ::poll(nullptr, 0, kTurnPollMs);
  }
}

absl::Status VolumeSnapshots::CheckRoom(const Call& call,
                                        const fs::path& from,
                                        const fs::path& part) const {
  if (CanShareSpace(folder_)) return absl::OkStatus();
  TROVE_ASSIGN_OR_RETURN(std::int64_t needed, AllocatedBytes(call, from));
  if (Exists(part)) {
    TROVE_ASSIGN_OR_RETURN(const std::int64_t there, AllocatedBytes(call, part));
    needed = std::max(std::int64_t{0}, needed - there);
  }
  struct statvfs about {};
  if (::statvfs(folder_.c_str(), &about) != 0)
    return ErrnoStatus(errno, "look at the file system of " + folder_.string());
  const auto free = static_cast<std::int64_t>(about.f_bavail * about.f_frsize);
  if (needed + kMargin <= free) return absl::OkStatus();
  return absl::ResourceExhaustedError("a copy of the data takes " + InGib(needed) + ", and " +
                                      InGib(free) + " are free on the disk of this host");
}

absl::Status VolumeSnapshots::RemoveOlder(const VolumeId& id, const std::string& prefix) const {
  TROVE_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, EntriesOf(folder_ / id.value()));
  for (const fs::path& entry : entries) {
    const std::string name = entry.filename();
    if (name.starts_with(prefix) && name != prefix + boot_)
      TROVE_RETURN_IF_ERROR(RemoveTree(entry));
  }
  return absl::OkStatus();
}

absl::Status VolumeSnapshots::Keep(const Call& call,
                                   const fs::path& volume,
                                   const VolumeId& id,
                                   const std::string& name,
                                   int uid) const {
  TROVE_RETURN_IF_ERROR(CheckName(name));
  const fs::path finished = folder_ / id.value() / name;
  if (Exists(finished)) return absl::OkStatus();
  TROVE_ASSIGN_OR_RETURN(const UniqueFd turn, TakeTurn(call));
  TROVE_RETURN_IF_ERROR(MakeDirectory(finished.parent_path(), 0700));
  TROVE_RETURN_IF_ERROR(RemoveOlder(id, name + ".part-"));
  const fs::path part = finished.parent_path() / (name + ".part-" + boot_);
  TROVE_RETURN_IF_ERROR(CheckRoom(call, volume, part));
  TROVE_RETURN_IF_ERROR(CopyGuestTree(call, volume, part, uid));
  // It counts as finished by its name: then all of it must be on the disk.
  TROVE_RETURN_IF_ERROR(SyncFileSystem(part));
  if (::rename(part.c_str(), finished.c_str()) == 0) return SyncFileSystem(finished);
  return ErrnoStatus(errno, "finish the snapshot " + finished.string());
}

absl::Status VolumeSnapshots::Revert(
    const Call& call,
    const fs::path& volume,
    const VolumeId& id,
    const std::string& name,
    int uid,
    const std::function<absl::Status(const fs::path&)>& prepare,
    const std::function<absl::Status(const fs::path&)>& discard) const {
  TROVE_RETURN_IF_ERROR(CheckName(name));
  const fs::path kept = folder_ / id.value() / name;
  if (!Exists(kept)) return absl::NotFoundError("there is no finished snapshot " + kept.string());
  TROVE_ASSIGN_OR_RETURN(const UniqueFd turn, TakeTurn(call));
  TROVE_RETURN_IF_ERROR(RemoveOlder(id, name + ".revert-"));
  const fs::path part = kept.parent_path() / (name + ".revert-" + boot_);
  struct stat about {};
  // A tree that is the guest's already: the one that a call which was cut off has just replaced, or
  // was about to put in place.
  if (uid != 0 && ::lstat(part.c_str(), &about) == 0 && about.st_uid != 0)
    TROVE_RETURN_IF_ERROR(discard(part));
  TROVE_RETURN_IF_ERROR(CheckRoom(call, kept, part));
  TROVE_RETURN_IF_ERROR(CopyGuestTree(call, kept, part, uid));
  TROVE_RETURN_IF_ERROR(prepare(part));
  TROVE_RETURN_IF_ERROR(SyncFileSystem(part));
  // In one step, so that there is a volume at every moment; what was there is in `part` then.
  if (::renameat2(AT_FDCWD, part.c_str(), AT_FDCWD, volume.c_str(), RENAME_EXCHANGE) != 0) {
    // A file system without exchange, or a volume that an earlier call has moved away.
    if (errno != EINVAL && errno != ENOENT && errno != ENOSYS)
      return ErrnoStatus(errno, "put the snapshot in the volume's place");
    if (Exists(volume)) TROVE_RETURN_IF_ERROR(discard(volume));
    if (::rename(part.c_str(), volume.c_str()) != 0)
      return ErrnoStatus(errno, "put the snapshot in the volume's place");
  }
  TROVE_RETURN_IF_ERROR(SyncFileSystem(folder_));
  return discard(part);
}

absl::Status VolumeSnapshots::Remove(
    const VolumeId& id,
    const std::string& name,
    const std::function<absl::Status(const fs::path&)>& discard) const {
  TROVE_RETURN_IF_ERROR(CheckName(name));
  TROVE_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, EntriesOf(folder_ / id.value()));
  for (const fs::path& entry : entries) {
    const std::string found = entry.filename();
    if (found == name || found.starts_with(name + ".")) TROVE_RETURN_IF_ERROR(discard(entry));
  }
  // The last one leaves no empty folder.
  if (::rmdir((folder_ / id.value()).c_str()) == 0 || errno == ENOENT || errno == ENOTEMPTY ||
      errno == EEXIST)
    return absl::OkStatus();
  return ErrnoStatus(errno, "remove the folder of the snapshots of volume " + id.value());
}

absl::Status VolumeSnapshots::RemoveAll(
    const VolumeId& id, const std::function<absl::Status(const fs::path&)>& discard) const {
  return discard(folder_ / id.value());
}

}  // namespace trove::taskmanager
