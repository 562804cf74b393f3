#pragma once

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
#include "libtrove/store/store.h"
#include "services/taskmanager/worker_lease.h"
#include "services/taskmanager/workflow.h"

namespace trove::taskmanager {

/// Takes one claimed operation as far as it goes now: through its steps until one waits, it ends,
/// or it is somebody else's. Every boundary between two steps is one durable write, conditional on
/// ownership; what has not been written has not happened, and will be done again. Used by one
/// thread.
class OperationRun {
 public:
  /// What became of it.
  enum class Result {
    kReleased,  ///< it waits, and nobody holds it
    kEnded,     ///< it has ended, well or badly
    kLost,      ///< it is somebody else's; nothing was written after that
    kHeld,      ///< an outcome could not be recorded for a reason that waiting does not mend
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

  /// When the operation is due again, when it was released.
  absl::Time due_at() const { return operation_.due_at; }

 private:
  using Continue = std::optional<Result>;  // absent: go on

  Continue Advance();
  Continue RunStep();
  Continue RunUndo();
  Continue OnDone(const Done& done);
  Continue OnRetry(const RetryAfter& retry);
  Continue OnWait(const WaitFor& wait);
  Continue OnUndone(const Done& done);
  Continue OnUndoRetry(const std::string& why, std::optional<absl::Duration> delay);

  // Begins the undoing, or ends the operation at once when there is nothing to undo.
  Continue BeginFailure(const std::string& why, const std::string& help, bool timed_out);
  Result EndFailed(std::vector<Effect> effects, const std::string& remains);

  // Takes over what the row says, and completes what the accepting transaction left open. Absent
  // workflow: unknown here.
  Continue Adopt();
  Outcome Invoke(const std::function<Outcome(StepContext&)>& function,
                 const Step& step,
                 int attempt,
                 absl::Time deadline);

  // Waits until `due`, or for `signal`.
  Result Release(absl::Time due,
                 const std::string& why,
                 const std::string& signal,
                 const std::vector<Effect>& effects);
  // One durable write of the operation as it stands here. kAborted: lost.
  absl::Status Write(const std::vector<Effect>& effects, bool release);
  Continue WriteAndGoOn(const std::vector<Effect>& effects);
  Result WriteEnd(const std::vector<Effect>& effects);
  Result NotWritten(const absl::Status& error);

  StepRecord& record() {
    return operation_.steps[static_cast<std::size_t>(operation_.current_step)];
  }
  const Step& step() const {
    return workflow_->steps[static_cast<std::size_t>(operation_.current_step)];
  }
  absl::Time StepDeadline();
  void Start(StepRecord& record);
  void ClearWait();
  int NextUndo(int from) const;

  Store& store_;
  const Clock& clock_;
  const Workflows& workflows_;
  const std::shared_ptr<const WorkerTerm> term_;
  const std::stop_token draining_;
  std::vector<Signal> signals_;
  const std::int64_t generation_;
  Operation operation_;
  const Log log_;
  mesh::v1::OperationMemory memory_;
  std::map<std::string, std::string> facts_;
  const Workflow* workflow_ = nullptr;
  std::vector<std::string> consumed_;
  std::vector<std::function<void()>> after_write_;
  bool lost_ = false;
};

}  // namespace trove::taskmanager
