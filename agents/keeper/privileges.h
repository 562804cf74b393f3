#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "agents/keeper/error.h"

namespace trove::keeper {

/// Moves this process into each of the cgroups (directories), before it has any child.
Error JoinCgroups(const std::vector<std::string>& directories);

/// How readily the kernel kills this process when memory is short, -1000 to 1000. Inherited.
Error SetOomScore(int score);

/// RLIMIT_NOFILE, soft and hard. Inherited. Above the hard limit needs root.
Error SetOpenFilesLimit(std::uint64_t most);

/// Gives up what this process can do beyond its guest, for good and for all it will start: becomes
/// `uid` and `gid` with no supplementary group and an empty capability bounding set, may gain no
/// privilege by exec, umask 077; then checks that it is so. With `uid` 0, or the own uid when not
/// root, only what can be: no_new_privs and umask. An error leaves the process half way: exit.
Error DropPrivileges(uid_t uid, gid_t gid);

}  // namespace trove::keeper
