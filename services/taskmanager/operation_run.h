#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "trove/mesh/v1/operation_memory.pb.h"

#include "libtrove/base/clock.h"
#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/store/store.h"
#include "services/taskmanager/worker_lease.h"
#include "services/taskmanager/workflow.h"

namespace trove::taskmanager {

/// Takes one claimed operation as far as it goes now: through its steps until one waits, it ends,
/// or it is somebody else's; or back through them, when it failed or is to be cancelled. Every
/// boundary between two steps is one durable write, conditional on ownership (but see
/// Step::repeats_late); what has not been written has not happened, and will be done again. Used by
/// one thread, except where it says so.
class OperationRun {
 public:
  /// What became of it.
  enum class Result {
    kReleased,  ///< it waits, and nobody holds it
    kEnded,     ///< it has ended, well or badly
    kLost,      ///< it is somebody else's; nothing was written after that
    kHeld,      ///< the store refuses whatever is said of it: call Run again after a while
  };

  /// The seams must outlive this object. Once `draining` is set, the operation is released at the
  /// next boundary.
  OperationRun(Store& store,
               const Clock& clock,
               const Workflows& workflows,
               std::shared_ptr<const WorkerTerm> term,
               std::stop_token draining,
               ClaimedOperation claimed);

  Result Run();

  /// Somebody wants the operation to stop: a step that may be cancelled is interrupted. Any thread.
  void RequestCancel() TROVE_EXCLUDES(mutex_);

  /// The operation was lost to somebody else: its step is interrupted and what it says is dropped.
  /// Any thread.
  void Drop() TROVE_EXCLUDES(mutex_);

  const InstanceId& instance_id() const { return instance_id_; }

 private:
  using Continue = std::optional<Result>;  // absent: go on

  // operation_run.cc: forward.

  Continue Advance();
  Continue RunStep();
  Continue OnDone(const Done& done);
  Continue OnRetry(const RetryAfter& retry);
  Continue OnWait(const WaitFor& wait);

  // Takes over what the row says, and completes what the accepting transaction left open. Absent
  // workflow: unknown here.
  Continue Adopt();
  Continue LeaveToOthers();
  bool HasBegun() const;
  // Its steps are those of the version it was begun with; the newest, when it was not begun.
  bool AdoptSteps();
  void BeginRetry();

  // operation_undo.cc: back.

  // Begins the undoing, or ends the operation at once when there is nothing to undo.
  Continue BeginFailure(const std::string& why, const std::string& help, bool timed_out);
  Continue BeginCancel();
  Continue RunUndo();
  Continue OnUndone(const Done& done);
  Continue OnUndoRetry(const std::string& why, std::optional<absl::Duration> delay);
  Continue OnUndoWait(const WaitFor& wait);
  // The undoing has come as far as it can. `remains`: what could not be undone; empty: nothing.
  Continue EndUndone(std::vector<Effect> effects, const std::string& remains);
  Continue EndFailed(std::vector<Effect> effects, const std::string& remains = "");
  // The step that is undone, and all before it that would have been.
  std::string Remains(const std::string& why) const;
  void SetNextUndo(int from);
  int NextUndo(int from) const;
  void ShowUndo(const std::string& why);
  absl::Time UndoDeadline() const;
  const Step& undone() const {
    return workflow_->steps[static_cast<std::size_t>(memory_.undo().next_step())];
  }

  // operation_write.cc: what is said of it, durably.

  Outcome Invoke(const std::function<Outcome(StepContext&)>& function,
                 const Step& step,
                 int attempt,
                 absl::Time deadline) TROVE_EXCLUDES(mutex_);
  // Waits until `due`, or for `signal`.
  Continue Release(absl::Time due,
                   const std::string& why,
                   const std::string& signal,
                   const std::vector<Effect>& effects);
  Continue WriteAndGoOn(const std::vector<Effect>& effects);
  Continue WriteEnd(const std::vector<Effect>& effects);
  Continue NotWritten(const absl::Status& error);
  // One durable write of the operation as it stands here, with what is unwritten yet. kAborted:
  // lost.
  absl::Status Write(const std::vector<Effect>& effects, bool release);
  absl::Status Send(const OperationWrite& write);
  // What it acts on: as it was read by an earlier step, when that is not long ago.
  absl::StatusOr<OperationTarget> Load(const Call& call);
  // What a step wants durable in its middle.
  absl::Status Save(const std::vector<Effect>& effects);
  // Whether the step that is done now may be written together with what follows.
  bool MayStayUnwritten(const Step& done) const;
  // Makes the operation what it was when it was last written, so that unwritten steps are done
  // again, one by one.
  void FallBack();
  // Texts that every store takes.
  void MakePlain();

  bool CancelDue() TROVE_EXCLUDES(mutex_);
  bool IsCancellable() const;
  bool Lost() const { return lost_ || dropped_ || term_->lost.stop_requested(); }

  StepRecord& record() {
    return operation_.steps[static_cast<std::size_t>(operation_.current_step)];
  }
  const Step& step() const {
    return workflow_->steps[static_cast<std::size_t>(operation_.current_step)];
  }
  // Of the current step, since it was begun or begun again by a retry.
  int AttemptsNow() { return record().attempts - memory_.attempts_before_retry(); }
  absl::Time StepDeadline();
  void Start(StepRecord& record);
  void ClearWait();

  Store& store_;
  const Clock& clock_;
  const Workflows& workflows_;
  const std::shared_ptr<const WorkerTerm> term_;
  const std::stop_token draining_;
  std::vector<Signal> signals_;
  const std::int64_t generation_;
  Operation operation_;
  const InstanceId instance_id_;
  const Log log_;
  Operation durable_;  // as it was adopted or last written
  mesh::v1::OperationMemory memory_;
  std::map<std::string, std::string> facts_;
  const Workflow* workflow_ = nullptr;
  std::vector<Effect> unwritten_effects_;
  int unwritten_steps_ = 0;            // done since the last write
  bool unwritten_repeat_late_ = true;  // all of them
  bool together_ = true;               // steps may be written together
  bool fell_back_ = false;             // in the middle of a step
  absl::Time written_at_;              // on this machine's clock
  std::optional<OperationTarget> target_;
  absl::Time target_at_;
  std::vector<std::string> consumed_;
  std::vector<std::function<void()>> after_write_;
  bool lost_ = false;

  std::atomic<bool> dropped_ = false;

  Mutex mutex_;
  bool cancel_seen_ TROVE_GUARDED_BY(mutex_) = false;
  bool interruptible_ TROVE_GUARDED_BY(mutex_) = false;  // a step runs that may be cancelled
  std::stop_source step_stop_ TROVE_GUARDED_BY(mutex_);
};

}  // namespace trove::taskmanager
