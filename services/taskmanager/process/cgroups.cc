#include "services/taskmanager/process/cgroups.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

constexpr int kPeriodUs = 100'000;
constexpr int kPollMs = 5;
constexpr int kAttempts = 10;
constexpr char kSubtreeControl[] = "cgroup.subtree_control";
constexpr char kControllers[] = "+cpu +memory";

absl::Status WriteControl(const fs::path& path, const std::string& value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "open " + path.string());
  if (::write(fd.get(), value.data(), value.size()) < 0) {
    return ErrnoStatus(errno, "write " + value + " to " + path.string());
  }
  return absl::OkStatus();
}

absl::Status MakeGroup(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, "make cgroup " + folder.string());
}

// The mesh's group, which holds those of its guests.
absl::Status MakeParent(const fs::path& folder, bool version2) {
  TROVE_RETURN_IF_ERROR(MakeGroup(folder));
  return version2 ? WriteControl(folder / kSubtreeControl, kControllers) : absl::OkStatus();
}

// Tried out, and nothing left behind: a mesh without guests has no group.
bool CanMakeParent(const fs::path& folder, bool version2) {
  const bool can = MakeParent(folder, version2).ok();
  ::rmdir(folder.c_str());  // fails when there are guests in it
  return can;
}

absl::Status MakeGuestGroup(const fs::path& group, bool version2) {
  absl::Status made;
  // The mesh's group goes with its last guest, also between two steps of ours.
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    made = MakeParent(group.parent_path(), version2);
    if (made.ok()) made = MakeGroup(group);
    if (!absl::IsNotFound(made)) return made;
  }
  return made;
}

std::string MemoryBytes(const ResourceLimits& limits) {
  const std::int64_t headroom = std::max<std::int64_t>(limits.memory_mib / 4, 256);
  return std::to_string((limits.memory_mib + headroom) << 20);
}

}  // namespace

Cgroups Cgroups::Detect(const std::string& mesh_id) {
  Cgroups found;
  const fs::path root = "/sys/fs/cgroup";
  const std::string name = "trove-" + mesh_id;
  if (fs::exists(root / "cgroup.controllers")) {
    const fs::path ours = root / name;
    const bool usable =
        WriteControl(root / kSubtreeControl, kControllers).ok() && CanMakeParent(ours, true);
    if (usable) found.roots_.push_back({ours, true, ""});
    return found;
  }
  for (const char* controller : {"cpu", "memory"}) {
    const fs::path ours = root / controller / name;
    if (fs::exists(root / controller / "cgroup.procs") && CanMakeParent(ours, false)) {
      found.roots_.push_back({ours, false, controller});
    }
  }
  return found;
}

absl::StatusOr<std::vector<std::string>> Cgroups::Ensure(const std::string& guest,
                                                         const ResourceLimits& limits) const {
  std::vector<std::string> folders;
  for (const Root& root : roots_) {
    const fs::path group = root.folder / guest;
    TROVE_RETURN_IF_ERROR(MakeGuestGroup(group, root.version2));
    const std::string quota = std::to_string(limits.vcpus * kPeriodUs);
    if (root.version2) {
      TROVE_RETURN_IF_ERROR(
          WriteControl(group / "cpu.max", quota + " " + std::to_string(kPeriodUs)));
      TROVE_RETURN_IF_ERROR(WriteControl(group / "memory.max", MemoryBytes(limits)));
    } else if (root.controller == "cpu") {
      TROVE_RETURN_IF_ERROR(WriteControl(group / "cpu.cfs_period_us", std::to_string(kPeriodUs)));
      TROVE_RETURN_IF_ERROR(WriteControl(group / "cpu.cfs_quota_us", quota));
    } else {
      TROVE_RETURN_IF_ERROR(WriteControl(group / "memory.limit_in_bytes", MemoryBytes(limits)));
    }
    folders.push_back(group);
  }
  return folders;
}

absl::Status Cgroups::Remove(const Call& call, const std::string& guest) const {
  for (const Root& root : roots_) {
    const fs::path group = root.folder / guest;
    while (::rmdir(group.c_str()) != 0 && errno != ENOENT) {
      const absl::Status failed = ErrnoStatus(errno, "remove cgroup " + group.string());
      if (errno != EBUSY || !call.Check().ok()) return failed;
      ::poll(nullptr, 0, kPollMs);
    }
    ::rmdir(root.folder.c_str());  // fails as long as other guests are in it
  }
  return absl::OkStatus();
}

}  // namespace trove::taskmanager
