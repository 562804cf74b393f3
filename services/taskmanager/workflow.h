#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/backoff.h"
#include "libtrove/store/records.h"
#include "services/taskmanager/step_context.h"

namespace trove::taskmanager {

// What a step says when it returns. It never blocks to wait: it says what it waits for, and is run
// again from its beginning when that has come.

/// A list of effects: Effects(SetTask{…}, SetService{…}).
template <typename... Each>
std::vector<Effect> Effects(Each... each) {
  std::vector<Effect> effects;
  effects.reserve(sizeof...(each));
  (effects.emplace_back(std::move(each)), ...);
  return effects;
}

/// The step is done for good. `effects` are applied in the transaction that says so.
struct Done {
  std::vector<Effect> effects;
};

/// It did not work this time. Counts as an attempt.
struct RetryAfter {
  std::string why;
  std::optional<absl::Duration> delay;  ///< absent: as the step's backoff says
};

/// It is under way elsewhere. Does not count as an attempt.
struct WaitFor {
  std::string why;              ///< shown: what it waits for, in words
  std::string signal;           ///< wakes it early; empty: time alone
  absl::Duration at_most;       ///< and then it looks again
  std::vector<Effect> effects;  ///< applied in the transaction that records the wait
};

/// It will never work.
struct Fail {
  std::string why;
  std::string help;  ///< what a human can do; may be empty
};

using Outcome = std::variant<Done, RetryAfter, WaitFor, Fail>;

/// The outcome of a call that returned this error. What only a person or a new request can mend
/// (kInvalidArgument, kFailedPrecondition, kUnimplemented, kDataLoss, kPermissionDenied) fails;
/// everything else is tried again. So is kAborted: whoever has lost the operation learns it from
/// the store when the retry is recorded, and whoever has not gets a higher generation by it.
Outcome OutcomeOf(const absl::Status& error);

/// One step of a workflow. `run` and `undo` may be called again at any moment, by another process
/// too: after a crash, a step is run again without having said anything. So each is idempotent,
/// carries the generation with what it does to a guest, and says beside its definition why doing it
/// twice is safe.
struct Step {
  std::string name;
  std::function<Outcome(StepContext&)> run;

  /// Takes back what `run` did, also half of it. Null: nothing to take back.
  std::function<Outcome(StepContext&)> undo;

  absl::Duration limit = absl::Minutes(5);  ///< from its first start, waits and retries included
  absl::Duration run_limit = absl::Seconds(30);  ///< of one call of `run` or `undo`
  int attempts = 10;                             ///< of `run`, and again of `undo`
  BackoffPolicy backoff;

  /// Once this step is done, the operation is not cancelled any more, and a later failure undoes
  /// only what came after it.
  bool point_of_no_return = false;

  /// Once this step has begun, the operation is not cancelled any more: what clients may have done
  /// since cannot be undone. A failure still undoes it.
  bool not_cancelled = false;

  /// Of one `undo` from its first start, waits and retries included. What is not undone by then
  /// remains, and the operation says so.
  absl::Duration undo_limit = absl::Minutes(5);

  // When a step is done, that is recorded before the next one begins; these spare a write.

  /// Doing it again spoils nothing that later steps have done meanwhile: so it need not be recorded
  /// before they begin.
  bool repeats_late = false;
  /// It does nothing but say effects: so it may be recorded together with the step before it.
  bool only_effects = false;
};

/// How an operation failed, for Workflow::on_failed.
struct Failure {
  std::string step;  ///< empty: before the first one
  std::string why;
  bool timed_out = false;
  std::string remains;  ///< what could not be undone, and why; empty: nothing
};

/// A named, versioned list of steps. A list that a release has shipped is never changed: a changed
/// one gets a new version, and operations begun with the old one finish with it.
struct Workflow {
  std::string kind;  ///< `instance.create`
  int version = 1;
  std::vector<Step> steps;

  /// Whether it may be cancelled at all.
  bool cancellable = true;

  /// Of an operation that was accepted without one.
  absl::Duration deadline = absl::Minutes(10);

  /// Whether a failure is undone as a cancel is. Otherwise what was made stays as it is.
  bool undo_on_failure = true;

  /// What the instance shows once the operation has ended as FAILED, after everything was undone.
  std::function<std::vector<Effect>(const Failure&)> on_failed;

  /// The same for CANCELLED.
  std::function<std::vector<Effect>()> on_cancelled;

  /// What a human can do then, where the failing step does not say.
  std::string help;
};

/// Every workflow of this release, old versions included.
class Workflows {
 public:
  explicit Workflows(std::vector<Workflow> workflows);

  /// Null: unknown.
  const Workflow* Find(std::string_view kind, int version) const;
  /// The version that operations of this kind begin with. Null: unknown.
  const Workflow* Newest(std::string_view kind) const;

  /// Every one, by kind and version.
  std::vector<const Workflow*> All() const;

 private:
  std::map<std::pair<std::string, int>, Workflow> workflows_;
};

}  // namespace trove::taskmanager
