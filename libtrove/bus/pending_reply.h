#pragma once

#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "libtrove/base/call.h"
#include "libtrove/base/mutex.h"

namespace trove {

/// A request that waits for its answer. Shared by the implementations of Bus. Thread-safe.
class PendingReply {
 public:
  /// Gives the answer, or why there will be none. Only the first one counts.
  void Complete(absl::StatusOr<std::string> answer) TROVE_EXCLUDES(mutex_);

  /// Waits for Complete. Errors: what Complete was given; kDeadlineExceeded; kCancelled.
  absl::StatusOr<std::string> Wait(const Call& call) TROVE_EXCLUDES(mutex_);

  /// What Wait would return at once; absent: it would wait.
  std::optional<absl::StatusOr<std::string>> Peek() const TROVE_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::optional<absl::StatusOr<std::string>> answer_ TROVE_GUARDED_BY(mutex_);
};

}  // namespace trove
