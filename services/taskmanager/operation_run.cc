#include "services/taskmanager/operation_run.h"

#include <algorithm>
#include <utility>

#include "libtrove/base/backoff.h"
#include "libtrove/base/status.h"

namespace trove::taskmanager {
namespace {

// For what this release does not know: a newer one's process may claim it next.
constexpr absl::Duration kStrangerWait = absl::Seconds(10);
constexpr absl::Duration kStrangerDeadline = absl::Hours(24);

StepRecord FreshRecord(const Step& step) {
  StepRecord fresh;
  fresh.name = step.name;
  return fresh;
}

std::string AfterColon(const std::string& text) {
  return text.empty() ? "" : ": " + text;
}

}  // namespace

OperationRun::OperationRun(Store& store,
                           const Clock& clock,
                           const Workflows& workflows,
                           std::shared_ptr<const WorkerTerm> term,
                           std::stop_token draining,
                           ClaimedOperation claimed)
    : store_(store),
      clock_(clock),
      workflows_(workflows),
      term_(std::move(term)),
      draining_(std::move(draining)),
      signals_(std::move(claimed.signals)),
      generation_(claimed.generation),
      operation_(std::move(claimed.operation)),
      instance_id_(operation_.instance_id),
      log_(Log()
               .With("operation", operation_.id.value())
               .With("kind", operation_.kind)
               .With("instance", instance_id_.value())),
      durable_(operation_) {}

OperationRun::Result OperationRun::Run() {
  FallBack();
  together_ = true;
  if (const Continue ended = Adopt()) return *ended;
  while (true) {
    if (Lost()) return Result::kLost;
    if (const Continue ended = Advance()) return *ended;
  }
}

OperationRun::Continue OperationRun::Adopt() {
  if (!memory_.ParseFromString(operation_.memory)) {
    log_.Error("an operation's memory is unreadable here", {});
    memory_.Clear();
    operation_.error = "its memory is unreadable: written by a newer release, or damaged";
    return EndFailed({});
  }
  facts_.clear();
  facts_.insert(memory_.facts().begin(), memory_.facts().end());
  // What nobody has begun begins with the newest list; one of a newer release than this is left to
  // that.
  const Workflow* newest = workflows_.Newest(operation_.kind);
  if (newest != nullptr && !HasBegun() && operation_.workflow_version < newest->version)
    operation_.workflow_version = newest->version;
  workflow_ = workflows_.Find(operation_.kind, operation_.workflow_version);
  if (workflow_ == nullptr) return LeaveToOthers();
  if (!AdoptSteps()) {
    operation_.error = "its steps are not those of version " +
                       std::to_string(operation_.workflow_version) + " of " + operation_.kind;
    return EndFailed({});
  }
  // Of one that was retried the store has set a new deadline.
  if (operation_.deadline == absl::InfiniteFuture() && operation_.retries == 0)
    operation_.deadline = operation_.created_at + workflow_->deadline;
  const bool retried = operation_.retries > memory_.retries() ||
                       (memory_.has_undo() && operation_.state != OperationState::kCancelling);
  if (retried) BeginRetry();
  durable_ = operation_;
  durable_.memory = memory_.SerializeAsString();
  return std::nullopt;
}

OperationRun::Continue OperationRun::LeaveToOthers() {
  const std::string why = "this release knows no version " +
                          std::to_string(operation_.workflow_version) + " of " + operation_.kind;
  if (operation_.cancel_requested && !HasBegun()) {
    operation_.state = OperationState::kCancelled;
    operation_.error = "cancelled by request";
    return WriteEnd({});
  }
  const absl::Time deadline =
      std::min(operation_.deadline, operation_.created_at + kStrangerDeadline);
  if (clock_.Now() >= deadline) {
    operation_.error = why;
    return EndFailed({});
  }
  return Release(clock_.Now() + kStrangerWait, why, "", {});
}

bool OperationRun::HasBegun() const {
  return operation_.current_step > 0 || operation_.retries > 0 || memory_.has_undo() ||
         std::any_of(operation_.steps.begin(), operation_.steps.end(), [](const StepRecord& each) {
           return each.state != StepState::kPending || each.attempts > 0;
         });
}

bool OperationRun::AdoptSteps() {
  const bool same = std::equal(
      operation_.steps.begin(),
      operation_.steps.end(),
      workflow_->steps.begin(),
      workflow_->steps.end(),
      [](const StepRecord& record, const Step& step) { return record.name == step.name; });
  if (same) return true;
  if (HasBegun()) return false;
  operation_.steps.clear();
  for (const Step& each : workflow_->steps)
    operation_.steps.push_back(FreshRecord(each));
  return true;
}

void OperationRun::BeginRetry() {
  memory_.set_retries(operation_.retries);
  // The numbers of attempts go on: a job of an earlier one may still be somewhere.
  memory_.set_undos_before(memory_.undos_before() + memory_.undo().attempts());
  memory_.clear_undo();
  const auto again =
      std::find_if(operation_.steps.begin(), operation_.steps.end(), [](const StepRecord& each) {
        return each.state == StepState::kFailed || each.state == StepState::kUndone;
      });
  if (again != operation_.steps.end())
    operation_.current_step = static_cast<int>(again - operation_.steps.begin());
  // Also those between that had nothing to undo: what they rest on was undone.
  for (auto step = again; step != operation_.steps.end(); ++step) {
    step->state = StepState::kPending;
    step->started_at.reset();
    step->finished_at.reset();
    step->last_error.clear();
  }
  operation_.state = OperationState::kRunning;
  operation_.error.clear();
  operation_.help.clear();
  operation_.finished_at.reset();
  ClearWait();
  unwritten_effects_.emplace_back(SetFault{});
  log_.Info("operation is begun again", {{"retry", operation_.retries}});
}

OperationRun::Continue OperationRun::Advance() {
  if (memory_.has_undo()) return RunUndo();
  if (operation_.current_step >= static_cast<int>(operation_.steps.size())) {
    operation_.state = OperationState::kSucceeded;
    return WriteEnd({});
  }
  if (CancelDue()) return BeginCancel();
  if (clock_.Now() >= operation_.deadline)
    return BeginFailure(
        "the operation's time is up" +
            AfterColon(operation_.reason.empty() ? record().last_error : operation_.reason),
        "",
        true);
  return RunStep();
}

OperationRun::Continue OperationRun::RunStep() {
  if (record().state == StepState::kPending) Start(record());
  if (clock_.Now() >= StepDeadline())
    return BeginFailure(
        "not done within " + absl::FormatDuration(step().limit) +
            AfterColon(operation_.reason.empty() ? record().last_error : operation_.reason),
        "",
        true);
  operation_.state = OperationState::kRunning;
  const Outcome outcome = Invoke(step().run, step(), record().attempts, StepDeadline());
  if (Lost()) return Result::kLost;
  if (std::exchange(fell_back_, false)) return std::nullopt;
  if (const auto* done = std::get_if<Done>(&outcome)) return OnDone(*done);
  if (const auto* fail = std::get_if<Fail>(&outcome))
    return BeginFailure(fail->why, fail->help, false);
  // Not worth another look, which may have been interrupted for just this.
  if (CancelDue()) return BeginCancel();
  if (const auto* retry = std::get_if<RetryAfter>(&outcome)) return OnRetry(*retry);
  return OnWait(std::get<WaitFor>(outcome));
}

OperationRun::Continue OperationRun::OnDone(const Done& done) {
  const Operation before = operation_;
  const std::int32_t attempts_before = memory_.attempts_before_retry();
  const Step& finished = step();
  record().state = StepState::kDone;
  record().finished_at = clock_.Now();
  ClearWait();
  ++operation_.current_step;
  const bool last = operation_.current_step == static_cast<int>(operation_.steps.size());
  absl::Status written;
  if (last) {
    operation_.state = OperationState::kSucceeded;
    operation_.finished_at = clock_.Now();
    // What went wrong before is mended, or of no weight any more.
    std::vector<Effect> effects = {SetFault{}};
    effects.insert(effects.end(), done.effects.begin(), done.effects.end());
    written = Write(effects, true);
    if (written.ok()) {
      log_.Info("operation succeeded", {});
      return Result::kEnded;
    }
  } else {
    Start(record());
    operation_.due_at = clock_.Now();
    if (MayStayUnwritten(finished)) {
      unwritten_effects_.insert(unwritten_effects_.end(), done.effects.begin(), done.effects.end());
      ++unwritten_steps_;
      unwritten_repeat_late_ =
          unwritten_repeat_late_ && (finished.repeats_late || finished.only_effects);
      return std::nullopt;
    }
    const bool release = draining_.stop_requested();
    written = Write(done.effects, release);
    if (written.ok()) return release ? Continue(Result::kReleased) : std::nullopt;
  }
  if (lost_) return Result::kLost;
  if (unwritten_steps_ > 0) {
    FallBack();
    return std::nullopt;
  }
  // The step's effects clash with something, as a port that has been taken: the step may know
  // better the next time.
  operation_ = before;
  memory_.set_attempts_before_retry(attempts_before);
  return OnRetry({MessageOf(written), std::nullopt});
}

OperationRun::Continue OperationRun::OnRetry(const RetryAfter& retry) {
  record().last_error = retry.why;
  if (AttemptsNow() >= step().attempts)
    return BeginFailure(
        "failed " + std::to_string(AttemptsNow()) + " times, the last time: " + retry.why,
        "",
        false);
  const absl::Duration delay =
      retry.delay ? *retry.delay : BackoffDelay(step().backoff, AttemptsNow() - 1);
  ++record().attempts;
  return Release(std::min(clock_.Now() + delay, StepDeadline()),
                 "step " + record().name + " is tried again: " + retry.why,
                 "",
                 {});
}

OperationRun::Continue OperationRun::OnWait(const WaitFor& wait) {
  return Release(
      std::min(clock_.Now() + wait.at_most, StepDeadline()), wait.why, wait.signal, wait.effects);
}

absl::Time OperationRun::StepDeadline() {
  return std::min(operation_.deadline, record().started_at.value_or(clock_.Now()) + step().limit);
}

void OperationRun::Start(StepRecord& record) {
  record.state = StepState::kRunning;
  memory_.set_attempts_before_retry(record.attempts);
  ++record.attempts;
  record.started_at = clock_.Now();
  record.finished_at.reset();
}

void OperationRun::ClearWait() {
  operation_.reason.clear();
  operation_.awaited_signal.clear();
  operation_.waiting_since.reset();
}

}  // namespace trove::taskmanager
