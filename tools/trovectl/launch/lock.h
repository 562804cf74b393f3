#pragma once

#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/unique_fd.h"
#include "tools/trovectl/launch/layout.h"
#include "tools/trovectl/launch/process.h"

namespace trove::trovectl {

/// One launcher per data directory: a lock that ends with the process that holds it.
class LauncherLock {
 public:
  /// Errors: kAlreadyExists names the launcher that has it.
  static absl::StatusOr<LauncherLock> Take(const Layout& layout);

 private:
  explicit LauncherLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

/// The launcher that runs this mesh. Errors: kNotFound: none does.
absl::StatusOr<ProcessMark> FindLauncher(const Layout& layout);

}  // namespace trove::trovectl
