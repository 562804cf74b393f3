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
/// no other.
absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::string_view content,
                                 mode_t mode);

/// Makes `path` and what is missing above it, and gives `path` itself exactly `mode` also when it
/// was there.
absl::Status MakeDirectory(const std::filesystem::path& path, mode_t mode);

/// Removes a tree; a missing one is fine.
absl::Status RemoveTree(const std::filesystem::path& path);

/// The folder of the running binary, links resolved.
absl::StatusOr<std::filesystem::path> ExecutableDirectory();

}  // namespace trove
