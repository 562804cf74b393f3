#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "libtrove/base/id.h"

namespace trove {

/// What can be said of an operation as a whole. Stored.
enum class OperationState {
  kPending = 1,
  kRunning = 2,
  kWaiting = 3,
  kCancelling = 4,
  kSucceeded = 5,
  kFailed = 6,
  kCancelled = 7,
};

inline bool IsEnded(OperationState state) {
  return state == OperationState::kSucceeded || state == OperationState::kFailed ||
         state == OperationState::kCancelled;
}

enum class StepState { kPending = 1, kRunning = 2, kDone = 3, kFailed = 4, kUndone = 5 };

/// One step of the list that an operation follows, as it went so far.
struct StepRecord {
  std::string name;
  StepState state = StepState::kPending;
  int attempts = 0;
  std::optional<absl::Time> started_at;
  std::optional<absl::Time> finished_at;
  std::string last_error;

  friend bool operator==(const StepRecord&, const StepRecord&) = default;
};

/// How an operation holds a resource while it has not ended.
enum class LockMode {
  kExclusive = 1,  ///< alone
  kShared = 2,     ///< beside others that share it
};

/// A resource that an operation holds, besides its instance.
struct ResourceLock {
  std::string resource;  ///< `configurations/6a8f…`
  LockMode mode = LockMode::kExclusive;
};

/// A piece of long work on one instance: the row that outlives every process.
struct Operation {
  OperationId id;
  ProjectId project_id;
  InstanceId instance_id;
  std::string kind;          ///< names the workflow: `instance.create`
  int workflow_version = 1;  ///< of the step list it was begun with
  OperationState state = OperationState::kPending;
  std::vector<StepRecord> steps;
  int current_step = 0;  ///< index into `steps`; steps.size() when all are done
  std::string input;  ///< what was asked for: a serialized OperationInput; secrets in it are sealed
  std::string memory;          ///< what its steps remember between them, in the workflow's own form
  std::string reason;          ///< what it waits for, in words
  std::string awaited_signal;  ///< the signal that ends the wait early; empty: time alone
  std::optional<absl::Time> waiting_since;
  absl::Time due_at = absl::InfinitePast();  ///< when it is looked at again
  absl::Time deadline = absl::InfiniteFuture();
  std::string error;
  std::string help;
  std::string requested_by;
  std::string request_id;
  bool cancel_requested = false;
  bool cancellable = true;  ///< nothing that cannot be undone is done yet; the owner keeps it true
  int retries = 0;          ///< how often it was begun again after it had failed
  absl::Time created_at = absl::InfinitePast();
  absl::Time updated_at = absl::InfinitePast();
  std::optional<absl::Time> finished_at;
  std::int64_t version = 0;

  friend bool operator==(const Operation&, const Operation&) = default;
};

/// Something that an operation may wait for and that has happened.
struct Signal {
  std::string name;     ///< `job:<job id>`, `guest.connected`, …
  std::string payload;  ///< in the form that goes with the name
  absl::Time at;

  friend bool operator==(const Signal&, const Signal&) = default;
};

}  // namespace trove
