#pragma once

#include <cstdint>
#include <filesystem>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace trove::taskmanager {

/// Keeps volumes to their size by project quotas, where the file system has them switched on (ext4
/// and XFS, mounted with `prjquota`) and the caller may set them. Elsewhere volumes are only
/// watched, and nothing here fails for that.
///
/// A project is a number that files carry; a volume's is its guest's uid, which is unique on the
/// host.

/// Whether the system's answer `error` to a quota call means that there are no quotas here, or none
/// for us, and not that something went wrong.
bool MeansNoQuota(int error);

/// Puts everything below `volume`, and whatever will be made there, into `project` (not 0).
/// False: the file system has no project quotas. Links are left alone.
absl::StatusOr<bool> JoinProject(const std::filesystem::path& volume, std::uint32_t project);

/// Sets how many bytes `project` may take on the file system of `folder`; 0: no limit, which is
/// also how a project is forgotten. False: as above.
absl::StatusOr<bool> LimitProject(const std::filesystem::path& folder,
                                  std::uint32_t project,
                                  std::int64_t bytes);

}  // namespace trove::taskmanager
