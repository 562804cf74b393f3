#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/unique_fd.h"

namespace trove::sqlite {

/// The lock beside a store's file by which processes take turns to write: the kernel hands it on in
/// order of arrival, where SQLite's own lock is polled. A process that dies lets go of it.
class FileLock {
 public:
  /// Opens `<path>.lock`, and makes it if need be.
  static absl::StatusOr<std::unique_ptr<FileLock>> Open(const std::string& path);

  /// Waits until it is ours. Errors: as ErrnoStatus.
  absl::Status Lock();
  void Unlock();

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace trove::sqlite
