#include "agents/keeper/privileges.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <grp.h>
#include <linux/capability.h>

#include "libtrove/base/unique_fd.h"

namespace trove::keeper {
namespace {

// /proc and cgroup files take a value in one write or not at all.
Error WriteValue(const std::string& path, const std::string& value) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return ErrnoError(errno, "open " + path);
  if (::write(file.get(), value.data(), value.size()) < 0)
    return ErrnoError(errno, "write " + value + " to " + path);
  return {};
}

// Capabilities that exec could give back. The kernel says EINVAL after the last one it knows.
Error EmptyBoundingSet() {
  for (int capability = 0; capability < 64; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) return {};
    return ErrnoError(errno, "drop capability " + std::to_string(capability));
  }
  return {};
}

Error CheckDropped(uid_t uid, gid_t gid) {
  uid_t uids[3] = {};
  gid_t gids[3] = {};
  if (::getresuid(&uids[0], &uids[1], &uids[2]) != 0) return ErrnoError(errno, "getresuid");
  if (::getresgid(&gids[0], &gids[1], &gids[2]) != 0) return ErrnoError(errno, "getresgid");
  for (int i = 0; i < 3; ++i) {
    if (uids[i] != uid) return "still uid " + std::to_string(uids[i]);
    if (gids[i] != gid) return "still gid " + std::to_string(gids[i]);
  }
  if (::getgroups(0, nullptr) != 0) return "supplementary groups are left";
  if (::setuid(0) == 0 || ::setgid(0) == 0) return "root could be had back";

  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (::syscall(SYS_capget, &header, sets) != 0) return ErrnoError(errno, "capget");
  for (const auto& set : sets) {
    if ((set.effective | set.permitted) != 0) return "capabilities are left";
  }
  return {};
}

Error BecomeUser(uid_t uid, gid_t gid) {
  // The order matters: each step needs what the later ones give away.
  if (Error error = EmptyBoundingSet(); !error.empty()) return error;
  if (::setgroups(0, nullptr) != 0) return ErrnoError(errno, "drop supplementary groups");
  if (::setresgid(gid, gid, gid) != 0)
    return ErrnoError(errno, "become gid " + std::to_string(gid));
  if (::setresuid(uid, uid, uid) != 0)
    return ErrnoError(errno, "become uid " + std::to_string(uid));
  return CheckDropped(uid, gid);
}

}  // namespace

Error JoinCgroups(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    // 0: whoever writes.
    if (Error error = WriteValue(directory + "/cgroup.procs", "0"); !error.empty())
      return "join cgroup: " + error;
  }
  return {};
}

Error SetOomScore(int score) {
  return WriteValue("/proc/self/oom_score_adj", std::to_string(score));
}

Error SetOpenFilesLimit(std::uint64_t most) {
  const rlimit limit{most, most};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
    return ErrnoError(errno, "limit open files to " + std::to_string(most));
  return {};
}

Error DropPrivileges(uid_t uid, gid_t gid) {
  ::umask(077);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return ErrnoError(errno, "no_new_privs");
  if (uid == 0) return {};
  if (::geteuid() == 0) return BecomeUser(uid, gid);
  if (::geteuid() == uid && ::getegid() == gid) return {};
  return "only root can become uid " + std::to_string(uid) + ", gid " + std::to_string(gid);
}

}  // namespace trove::keeper
