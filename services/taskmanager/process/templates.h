#pragma once

#include <filesystem>
#include <string>

#include <absl/status/status.h>

#include "libtrove/base/call.h"
#include "libtrove/model/catalogue.h"
#include "services/taskmanager/process/layout.h"

namespace trove::taskmanager {

/// The programs that guests are made of: `trove-keeper`, `trove-agent-<name>`.
struct Programs {
  std::filesystem::path folder;

  std::filesystem::path Keeper() const { return folder / "trove-keeper"; }
  std::filesystem::path Agent(const std::string& name) const {
    return folder / ("trove-agent-" + name);
  }
};

/// Copies a tree, and makes all of it one user's (uid 0: the caller's own).
absl::Status CopyTree(const std::filesystem::path& from, const std::filesystem::path& to, int uid);

/// Makes all of a tree one user's, links themselves and not what they point to.
absl::Status ChownTree(const std::filesystem::path& root, int uid);

/// Pristine data directories, one a version: built once under a lock by the version's own agent as
/// a user of no guest, renamed into place when complete, and copied for each new volume.
/// Thread-safe.
class Templates {
 public:
  /// `uid` is that of the builder; 0: the caller's own. All must outlive this object.
  Templates(const ProcessLayout& layout, const Programs& programs, int uid)
      : layout_(layout), programs_(programs), uid_(uid) {}

  /// Builds the version's template unless it is there; waits while somebody else does.
  /// Errors: kFailedPrecondition: the agent cannot be started, or failed, in its words.
  absl::Status Ensure(const Call& call, const DatastoreVersion& version) const;

 private:
  absl::Status Build(const Call& call, const DatastoreVersion& version) const;

  const ProcessLayout& layout_;
  const Programs& programs_;
  const int uid_;
};

}  // namespace trove::taskmanager
