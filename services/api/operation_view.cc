#include "services/api/operation_view.h"

#include <string>

#include "libtrove/model/workflow_outline.h"
#include "services/api/times.h"

namespace trove::api {
namespace {

v1::Operation::State StateOf(OperationState state) {
  switch (state) {
    case OperationState::kPending:
      return v1::Operation::STATE_PENDING;
    case OperationState::kRunning:
      return v1::Operation::STATE_RUNNING;
    case OperationState::kWaiting:
      return v1::Operation::STATE_WAITING;
    case OperationState::kCancelling:
      return v1::Operation::STATE_CANCELLING;
    case OperationState::kSucceeded:
      return v1::Operation::STATE_SUCCEEDED;
    case OperationState::kFailed:
      return v1::Operation::STATE_FAILED;
    case OperationState::kCancelled:
      return v1::Operation::STATE_CANCELLED;
  }
  return v1::Operation::STATE_UNSPECIFIED;
}

v1::Operation::Step::State StepStateOf(StepState state) {
  switch (state) {
    case StepState::kPending:
      return v1::Operation::Step::STATE_PENDING;
    case StepState::kRunning:
      return v1::Operation::Step::STATE_RUNNING;
    case StepState::kDone:
      return v1::Operation::Step::STATE_DONE;
    case StepState::kFailed:
      return v1::Operation::Step::STATE_FAILED;
    case StepState::kUndone:
      return v1::Operation::Step::STATE_UNDONE;
  }
  return v1::Operation::Step::STATE_UNSPECIFIED;
}

void FillStep(const std::string& kind, const StepRecord& step, v1::Operation::Step* message) {
  message->set_name(step.name);
  message->set_title(StepTitle(kind, step.name));
  message->set_state(StepStateOf(step.state));
  message->set_attempts(step.attempts);
  if (step.started_at) SetTime(*step.started_at, message->mutable_started_at());
  if (step.finished_at) SetTime(*step.finished_at, message->mutable_finished_at());
  message->set_last_error(step.last_error);
}

}  // namespace

std::optional<OperationState> ParseState(int state) {
  for (const OperationState each : {OperationState::kPending,
                                    OperationState::kRunning,
                                    OperationState::kWaiting,
                                    OperationState::kCancelling,
                                    OperationState::kSucceeded,
                                    OperationState::kFailed,
                                    OperationState::kCancelled}) {
    if (StateOf(each) == state) return each;
  }
  return std::nullopt;
}

std::string_view StateName(OperationState state) {
  constexpr std::string_view kPrefix = "STATE_";
  std::string_view name = v1::Operation::State_Name(StateOf(state));
  name.remove_prefix(kPrefix.size());
  return name;
}

void FillOperation(const Operation& operation, v1::Operation* message) {
  const bool ended = IsEnded(operation.state);
  message->set_id(operation.id.value());
  message->set_project_id(operation.project_id.value());
  message->set_kind(operation.kind);
  message->set_resource("instances/" + operation.instance_id.value());
  message->set_state(StateOf(operation.state));
  for (const StepRecord& step : operation.steps)
    FillStep(operation.kind, step, message->add_steps());
  message->set_current_step(operation.current_step);
  message->set_reason(operation.reason);
  if (operation.waiting_since) SetTime(*operation.waiting_since, message->mutable_waiting_since());
  const bool has_due =
      operation.due_at != absl::InfiniteFuture() && operation.due_at != absl::InfinitePast();
  if (!ended && has_due) SetTime(operation.due_at, message->mutable_due_at());
  if (operation.deadline != absl::InfiniteFuture())
    SetTime(operation.deadline, message->mutable_deadline());
  message->set_error(operation.error);
  message->set_help(operation.help);
  SetTime(operation.created_at, message->mutable_created_at());
  SetTime(operation.updated_at, message->mutable_updated_at());
  if (operation.finished_at) SetTime(*operation.finished_at, message->mutable_finished_at());
  message->set_requested_by(operation.requested_by);
  message->set_version(operation.version);
  message->set_cancellable(!ended && operation.cancellable);
  message->set_cancel_requested(operation.cancel_requested);
  message->set_retries(operation.retries);
}

}  // namespace trove::api
