#pragma once

#include <cstdint>
#include <filesystem>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/call.h"

namespace trove::taskmanager {

// For trees that belong to a guest, which may be hostile and lay links while they are walked: no
// link is followed, and what is not the guest's own is not read.

/// How many bytes on the disk the files of a tree take. Errors: kNotFound; those of the call.
absl::StatusOr<std::int64_t> AllocatedBytes(const Call& call, const std::filesystem::path& root);

/// Makes `to` be what `from` is: files (sharing space where the file system can), folders and
/// links, with their times and permissions, all of them of user `uid` (0: the caller's own, and
/// then nobody's ownership is looked at). What else is in `to` goes; what was copied before, by a
/// call that was cut off, is not copied again. Nobody else may enter the folder that `to` is in,
/// and `to` itself becomes `uid`'s only when all is there. Sockets and pipes are left out.
///
/// Errors: kDeadlineExceeded: with how far it is; call again; kCancelled; kFailedPrecondition:
/// something in `from` belongs to somebody else; kUnavailable: it changed meanwhile;
/// kResourceExhausted: the disk is full; else as ErrnoStatus.
absl::Status CopyGuestTree(const Call& call,
                           const std::filesystem::path& from,
                           const std::filesystem::path& to,
                           int uid);

/// Whether files copied into `folder` share their space with others of its file system.
bool CanShareSpace(const std::filesystem::path& folder);

}  // namespace trove::taskmanager
