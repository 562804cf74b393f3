#include "services/taskmanager/process/volume_quota.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <linux/fs.h>
#include <linux/quota.h>

#include "libtrove/base/check.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kQuotaBlock = 1024;  // the unit of limits, whatever the file system's is

// By a descriptor instead of a block device, so that no mount table need be read.
int QuotaCall(int command, int folder, std::uint32_t project, if_dqblk* quota) {
  const auto operation = static_cast<unsigned>(QCMD(command, PRJQUOTA));
  return ::syscall(SYS_quotactl_fd, folder, operation, project, quota) == 0 ? 0 : errno;
}

absl::StatusOr<bool> Join(const fs::path& path, bool is_folder, std::uint32_t project) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "open " + path.string());
  fsxattr attributes{};
  int error = ::ioctl(fd.get(), FS_IOC_FSGETXATTR, &attributes) == 0 ? 0 : errno;
  if (error == 0) {
    attributes.fsx_projid = project;
    if (is_folder) attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    error = ::ioctl(fd.get(), FS_IOC_FSSETXATTR, &attributes) == 0 ? 0 : errno;
  }
  if (error == 0) return true;
  if (MeansNoQuota(error)) return false;
  return ErrnoStatus(error, "put " + path.string() + " into a project");
}

}  // namespace

bool MeansNoQuota(int error) {
  switch (error) {
    case ENOSYS:      // a kernel before 5.14
    case ENOTTY:      // a file system without attributes of this kind
    case EOPNOTSUPP:  // ext4 without the feature
    case ENODEV:
    case EINVAL:
    case ESRCH:  // quotas are off
    case EPERM:  // not for us, as in a container
    case EACCES:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<bool> JoinProject(const fs::path& volume, std::uint32_t project) {
  TROVE_CHECK(project != 0);
  TROVE_ASSIGN_OR_RETURN(const bool supported, Join(volume, true, project));
  if (!supported) return false;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(volume, error)) {
    if (entry.is_symlink() || (!entry.is_directory() && !entry.is_regular_file())) continue;
    TROVE_RETURN_IF_ERROR(Join(entry.path(), entry.is_directory(), project).status());
  }
  if (error) return ErrnoStatus(error.value(), "walk " + volume.string());
  return true;
}

absl::StatusOr<bool> LimitProject(const fs::path& folder,
                                  std::uint32_t project,
                                  std::int64_t bytes) {
  TROVE_CHECK(project != 0);
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "open " + folder.string());
  if_dqblk quota{};
  // Asked first: setting a limit where quotas are only counted would be no limit.
  int error = QuotaCall(Q_GETQUOTA, fd.get(), project, &quota);
  if (error == 0) {
    quota = {};
    quota.dqb_bhardlimit = static_cast<std::uint64_t>((bytes + kQuotaBlock - 1) / kQuotaBlock);
    quota.dqb_bsoftlimit = quota.dqb_bhardlimit;
    quota.dqb_valid = QIF_BLIMITS;
    error = QuotaCall(Q_SETQUOTA, fd.get(), project, &quota);
  }
  if (error == 0) return true;
  if (MeansNoQuota(error)) return false;
  return ErrnoStatus(error, "limit project " + std::to_string(project) + " on " + folder.string());
}

}  // namespace trove::taskmanager
