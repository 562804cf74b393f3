#include "libtrove/agent/log_files.h"

#include <string>
#include <system_error>

#include "libtrove/base/status.h"

namespace trove::agent {
namespace {

namespace fs = std::filesystem;

absl::Status Rotate(const fs::path& log) {
  const fs::path first = log.string() + ".1";
  std::error_code error;
  if (fs::exists(first, error)) fs::rename(first, log.string() + ".2", error);
  // Copied and emptied: those who append hold the file itself open.
  if (!error) fs::copy_file(log, first, error);
  if (!error) fs::resize_file(log, 0, error);
  if (!error) return absl::OkStatus();
  return ErrnoStatus(error.value(), "bound the log " + log.string());
}

}  // namespace

absl::Status BoundLogs(const fs::path& folder, std::uintmax_t most_bytes) {
  std::error_code error;
  absl::Status status;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() != ".log" || !fs::is_regular_file(at->symlink_status(error)))
      continue;
    if (at->file_size(error) <= most_bytes || error) continue;
    if (const absl::Status rotated = Rotate(at->path()); !rotated.ok()) status = rotated;
  }
  if (error) return ErrnoStatus(error.value(), "list " + folder.string());
  return status;
}

}  // namespace trove::agent
