// How an operation goes back: after a failure, or because somebody cancelled it.

#include <algorithm>
#include <utility>

#include "libtrove/base/backoff.h"
#include "libtrove/base/status.h"
#include "services/taskmanager/operation_run.h"

namespace trove::taskmanager {
namespace {

constexpr char kCancelled[] = "cancelled by request";

}  // namespace

OperationRun::Continue OperationRun::BeginFailure(const std::string& why,
                                                  const std::string& help,
                                                  bool timed_out) {
  record().state = StepState::kFailed;
  record().finished_at = clock_.Now();
  record().last_error = why;
  operation_.error = "step " + record().name + ": " + why;
  operation_.help = help.empty() ? workflow_->help : help;
  log_.Warning("operation failed", {{"step", record().name}, {"why", why}});
  mesh::v1::UndoProgress& undo = *memory_.mutable_undo();
  undo.set_failed_step(operation_.current_step);
  undo.set_why(why);
  undo.set_timed_out(timed_out);
  SetNextUndo(workflow_->undo_on_failure ? operation_.current_step : -1);
  if (undo.next_step() < 0) return EndUndone({}, "");
  return WriteAndGoOn({});
}

OperationRun::Continue OperationRun::BeginCancel() {
  log_.Info("operation is cancelled", {{"step", record().name}});
  const bool begun = HasBegun();
  operation_.error = kCancelled;
  mesh::v1::UndoProgress& undo = *memory_.mutable_undo();
  undo.set_failed_step(operation_.current_step);
  undo.set_why(kCancelled);
  undo.set_cancelled(true);
  SetNextUndo(begun ? operation_.current_step : -1);
  if (undo.next_step() < 0) return EndUndone({}, "");
  return WriteAndGoOn({});
}

OperationRun::Continue OperationRun::RunUndo() {
  mesh::v1::UndoProgress& undo = *memory_.mutable_undo();
  if (undo.next_step() < 0 || undo.next_step() >= static_cast<int>(workflow_->steps.size()))
    return EndUndone({}, "");
  // A release that had no such limit began it.
  if (undo.started_at_us() == 0) undo.set_started_at_us(absl::ToUnixMicros(clock_.Now()));
  operation_.state = OperationState::kCancelling;
  if (clock_.Now() >= UndoDeadline()) {
    return EndUndone({}, Remains("not undone within " + absl::FormatDuration(undone().undo_limit)));
  }
  const Outcome outcome =
      Invoke(undone().undo, undone(), memory_.undos_before() + undo.attempts(), UndoDeadline());
  if (Lost()) return Result::kLost;
  if (const auto* done = std::get_if<Done>(&outcome)) return OnUndone(*done);
  if (const auto* retry = std::get_if<RetryAfter>(&outcome))
    return OnUndoRetry(retry->why, retry->delay);
  if (const auto* wait = std::get_if<WaitFor>(&outcome)) return OnUndoWait(*wait);
  return EndUndone({}, Remains(std::get<Fail>(outcome).why));
}

OperationRun::Continue OperationRun::OnUndone(const Done& done) {
  const Operation before = operation_;
  const mesh::v1::OperationMemory memory_before = memory_;
  const mesh::v1::UndoProgress& undo = memory_.undo();
  StepRecord& undone = operation_.steps[static_cast<std::size_t>(undo.next_step())];
  if (undone.state != StepState::kFailed) undone.state = StepState::kUndone;
  SetNextUndo(undo.next_step() - 1);
  if (undo.next_step() < 0) return EndUndone(done.effects, "");
  operation_.due_at = clock_.Now();
  const bool release = draining_.stop_requested();
  const absl::Status written = Write(done.effects, release);
  if (written.ok()) return release ? Continue(Result::kReleased) : std::nullopt;
  if (lost_) return Result::kLost;
  operation_ = before;
  memory_ = memory_before;
  return OnUndoRetry(MessageOf(written), std::nullopt);
}

OperationRun::Continue OperationRun::OnUndoRetry(const std::string& why,
                                                 std::optional<absl::Duration> delay) {
  mesh::v1::UndoProgress& undo = *memory_.mutable_undo();
  if (undo.attempts() >= undone().attempts) return EndUndone({}, Remains(why));
  const absl::Time due =
      clock_.Now() + (delay ? *delay : BackoffDelay(undone().backoff, undo.attempts() - 1));
  undo.set_attempts(undo.attempts() + 1);
  ShowUndo("tried again: " + why);
  return Release(std::min(due, UndoDeadline()), operation_.reason, "", {});
}

OperationRun::Continue OperationRun::OnUndoWait(const WaitFor& wait) {
  ShowUndo(wait.why);
  return Release(std::min(clock_.Now() + wait.at_most, UndoDeadline()),
                 operation_.reason,
                 wait.signal,
                 wait.effects);
}

OperationRun::Continue OperationRun::EndUndone(std::vector<Effect> effects,
                                               const std::string& remains) {
  const bool cancelled = memory_.undo().cancelled();
  if (cancelled) {
    StepRecord& stopped = operation_.steps[static_cast<std::size_t>(memory_.undo().failed_step())];
    if (stopped.state == StepState::kRunning) {
      stopped.state = remains.empty() ? StepState::kUndone : StepState::kFailed;
      stopped.finished_at = clock_.Now();
    }
  }
  if (!cancelled || !remains.empty()) {
    if (!remains.empty()) {
      operation_.error += "; not undone: " + remains;
      if (operation_.help.empty()) operation_.help = workflow_->help;
    }
    return EndFailed(std::move(effects), remains);
  }
  if (workflow_->on_cancelled) {
    for (Effect& effect : workflow_->on_cancelled())
      effects.push_back(std::move(effect));
  }
  operation_.state = OperationState::kCancelled;
  return WriteEnd(effects);
}

OperationRun::Continue OperationRun::EndFailed(std::vector<Effect> effects,
                                               const std::string& remains) {
  Failure failure;
  failure.remains = remains;
  if (memory_.has_undo()) {
    failure.why = memory_.undo().why();
    failure.timed_out = memory_.undo().timed_out();
    failure.step = operation_.steps[static_cast<std::size_t>(memory_.undo().failed_step())].name;
  } else {
    failure.why = operation_.error;
  }
  if (workflow_ != nullptr && workflow_->on_failed) {
    for (Effect& effect : workflow_->on_failed(failure))
      effects.push_back(std::move(effect));
  }
  effects.emplace_back(SetFault{operation_.error, operation_.help});
  operation_.state = OperationState::kFailed;
  return WriteEnd(effects);
}

std::string OperationRun::Remains(const std::string& why) const {
  const int stuck = memory_.undo().next_step();
  std::string remains = undone().name + " (" + why + ")";
  for (int i = NextUndo(stuck - 1); i >= 0; i = NextUndo(i - 1))
    remains += ", " + workflow_->steps[static_cast<std::size_t>(i)].name;
  return remains;
}

void OperationRun::SetNextUndo(int from) {
  mesh::v1::UndoProgress& undo = *memory_.mutable_undo();
  memory_.set_undos_before(memory_.undos_before() + undo.attempts());
  undo.set_next_step(NextUndo(from));
  undo.set_attempts(1);
  undo.set_started_at_us(absl::ToUnixMicros(clock_.Now()));
  ClearWait();
  operation_.due_at = clock_.Now();
  if (undo.next_step() < 0) return;
  operation_.state = OperationState::kCancelling;
  operation_.waiting_since = clock_.Now();
  ShowUndo(undo.cancelled() ? undo.why() : operation_.error);
}

int OperationRun::NextUndo(int from) const {
  for (int i = from; i >= 0; --i) {
    const auto index = static_cast<std::size_t>(i);
    const Step& step = workflow_->steps[index];
    const StepState state = operation_.steps[index].state;
    if (step.point_of_no_return && state == StepState::kDone) return -1;
    if (step.undo && state != StepState::kPending && state != StepState::kUndone) return i;
  }
  return -1;
}

void OperationRun::ShowUndo(const std::string& why) {
  operation_.reason = "undoing step " + undone().name + ": " + why;
}

absl::Time OperationRun::UndoDeadline() const {
  return absl::FromUnixMicros(memory_.undo().started_at_us()) + undone().undo_limit;
}

}  // namespace trove::taskmanager
