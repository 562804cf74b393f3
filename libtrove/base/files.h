#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace trove {

/// The whole of a file. Errors: kNotFound; kResourceExhausted: larger than `most` bytes; else as
/// ErrnoStatus.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path,
                                     std::size_t most = std::size_t{16} << 20);

/// Replaces `path` by a file with this content and `mode`, whole or not at all, also across a power
/// cut: written beside, fsynced, renamed, and the folder fsynced. A failure leaves the old file and
/// no other; only when the last step fails (fsync of the folder) the new one stands and a power cut
/// may still undo it. A link at `path` is replaced, not followed.
absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::string_view content,
                                 mode_t mode);

/// Makes `path` and what is missing above it (under the umask), and gives `path` itself exactly
/// `mode` also when it was there. In a folder where others may write (/tmp) use
/// MakePrivateDirectory.
absl::Status MakeDirectory(const std::filesystem::path& path, mode_t mode);

/// Makes `path` in a folder that must exist, with mode 0700. Errors: kPermissionDenied: something
/// is there that is a link, no folder, or not this user's own; else as ErrnoStatus.
absl::Status MakePrivateDirectory(const std::filesystem::path& path);

/// Removes a tree; a missing one is fine.
absl::Status RemoveTree(const std::filesystem::path& path);

/// Writes everything through to the disk that was written to the file system of `folder` before, in
/// one go: cheaper than each of many files by itself.
absl::Status SyncFileSystem(const std::filesystem::path& folder);

/// The folder of the running binary, links resolved.
absl::StatusOr<std::filesystem::path> ExecutableDirectory();

}  // namespace trove
