#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

/// What is due, one by one, in the order in which it should be claimed: by turns among projects,
/// those with less in work first, the oldest of each first. Costs no more when very much is due:
/// then it looks at some projects, and the next claim goes on with others.
class DueOperations {
 public:
  /// `wanted`: about how many will be asked for.
  static absl::StatusOr<DueOperations> Open(Transaction& tx, int wanted);

  /// The row of the next one; absent: there are no more to be had in this transaction. What was
  /// given before must have been claimed or put off since.
  absl::StatusOr<std::optional<std::int64_t>> Next(Transaction& tx);

 private:
  struct Project {
    ProjectId id;
    int in_work = 0;    // held by workers, or given here
    absl::Time oldest;  // due time of the first one
    std::deque<std::int64_t> rows;
  };

  absl::Status ReadOldest(Transaction& tx);
  absl::Status FindProjects(Transaction& tx);
  absl::StatusOr<int> SkipThrough(Transaction& tx, const ProjectId& from, int budget);
  absl::Status CountHeld(Transaction& tx);
  absl::Status ReadRows(Transaction& tx, Project& project);
  void Add(const ProjectId& id, absl::Time due);

  int wanted_ = 0;
  bool crowded_ = false;                // more is due than is wanted
  std::deque<std::int64_t> few_;        // when not crowded: all that is due
  std::map<ProjectId, Project> found_;  // when crowded
  ProjectId last_;                      // the project that a bounded look ended at
};

}  // namespace trove::sqlite
