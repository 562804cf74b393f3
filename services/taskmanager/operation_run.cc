#include "services/taskmanager/operation_run.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "libtrove/base/backoff.h"
#include "libtrove/base/status.h"
#include "services/taskmanager/pause.h"

namespace trove::taskmanager {
namespace {

// One write waits this long for the store before it is tried again.
constexpr absl::Duration kWriteTime = absl::Seconds(2);
constexpr BackoffPolicy kWriteBackoff = {absl::Milliseconds(50), absl::Seconds(1)};

// For what this release does not know: a newer one's process may claim it next.
constexpr absl::Duration kStrangerWait = absl::Seconds(10);
constexpr absl::Duration kStrangerDeadline = absl::Hours(24);

// Refused for what it says. Everything else is the store's own trouble, and passes or is mended.
bool IsRefusal(const absl::Status& error) {
  return absl::IsInvalidArgument(error) || absl::IsAlreadyExists(error) ||
         absl::IsNotFound(error) || absl::IsFailedPrecondition(error) ||
         absl::IsPermissionDenied(error) || absl::IsUnimplemented(error);
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
      log_(Log()
               .With("operation", operation_.id.value())
               .With("kind", operation_.kind)
               .With("instance", operation_.instance_id.value())) {}

OperationRun::Result OperationRun::Run() {
  if (const Continue ended = Adopt()) return *ended;
  while (true) {
    if (term_->lost.stop_requested()) return Result::kLost;
    if (const Continue ended = Advance()) return *ended;
  }
}

OperationRun::Continue OperationRun::Adopt() {
  if (!memory_.ParseFromString(operation_.memory)) {
    log_.Error("an operation's memory is unreadable here", {});
    memory_.Clear();
    operation_.error = "its memory is unreadable: written by a newer release, or damaged";
    return EndFailed({}, "");
  }
  facts_.insert(memory_.facts().begin(), memory_.facts().end());
  workflow_ = workflows_.Find(operation_.kind, operation_.workflow_version);
  if (workflow_ == nullptr) {
    operation_.error = "this release knows no version " +
                       std::to_string(operation_.workflow_version) + " of " + operation_.kind;
    const absl::Time deadline =
        std::min(operation_.deadline, operation_.created_at + kStrangerDeadline);
    if (clock_.Now() >= deadline) return EndFailed({}, "");
    const std::string why = std::exchange(operation_.error, "");
    return Release(clock_.Now() + kStrangerWait, why, "", {});
  }
  if (operation_.steps.empty()) {
    for (const Step& each : workflow_->steps) {
      StepRecord fresh;
      fresh.name = each.name;
      operation_.steps.push_back(std::move(fresh));
    }
  }
  if (operation_.steps.size() != workflow_->steps.size()) {
    operation_.error = "its steps are not those of version " +
                       std::to_string(operation_.workflow_version) + " of " + operation_.kind;
    return EndFailed({}, "");
  }
  if (operation_.deadline == absl::InfiniteFuture())
    operation_.deadline = operation_.created_at + workflow_->deadline;
  return std::nullopt;
}

OperationRun::Continue OperationRun::Advance() {
  if (memory_.has_undo()) return RunUndo();
  if (operation_.current_step >= static_cast<int>(operation_.steps.size())) {
    operation_.state = OperationState::kSucceeded;
    return WriteEnd({});
  }
  const absl::Time now = clock_.Now();
  if (now >= operation_.deadline) {
    const std::string waited = operation_.reason.empty() ? record().last_error : operation_.reason;
    return BeginFailure(
        "the operation's time is up" + (waited.empty() ? "" : ": " + waited), "", true);
  }
  return RunStep();
}

OperationRun::Continue OperationRun::RunStep() {
  if (record().state == StepState::kPending) Start(record());
  if (clock_.Now() >= StepDeadline()) {
    const std::string waited = operation_.reason.empty() ? record().last_error : operation_.reason;
    return BeginFailure("not done within " + absl::FormatDuration(step().limit) +
                            (waited.empty() ? "" : ": " + waited),
                        "",
                        true);
  }
  operation_.state = OperationState::kRunning;
  const Outcome outcome = Invoke(step().run, step(), record().attempts, StepDeadline());
  if (lost_ || term_->lost.stop_requested()) return Result::kLost;
  if (const auto* done = std::get_if<Done>(&outcome)) return OnDone(*done);
  if (const auto* retry = std::get_if<RetryAfter>(&outcome)) return OnRetry(*retry);
  if (const auto* wait = std::get_if<WaitFor>(&outcome)) return OnWait(*wait);
  const auto& fail = std::get<Fail>(outcome);
  return BeginFailure(fail.why, fail.help, false);
}

OperationRun::Continue OperationRun::OnDone(const Done& done) {
  const Operation before = operation_;
  record().state = StepState::kDone;
  record().finished_at = clock_.Now();
  ClearWait();
  ++operation_.current_step;
  const bool last = operation_.current_step == static_cast<int>(operation_.steps.size());
  absl::Status written;
  if (last) {
    operation_.state = OperationState::kSucceeded;
    operation_.finished_at = clock_.Now();
    written = Write(done.effects, true);
    if (written.ok()) {
      log_.Info("operation succeeded", {});
      return Result::kEnded;
    }
  } else {
    Start(record());
    const bool release = draining_.stop_requested();
    operation_.due_at = clock_.Now();
    written = Write(done.effects, release);
    if (written.ok()) return release ? Continue(Result::kReleased) : std::nullopt;
  }
  if (absl::IsAborted(written)) return Result::kLost;
  // The step's effects clash with something, as a port that has been taken: the step may know
  // better the next time.
  operation_ = before;
  return OnRetry({MessageOf(written), std::nullopt});
}

OperationRun::Continue OperationRun::OnRetry(const RetryAfter& retry) {
  record().last_error = retry.why;
  if (record().attempts >= step().attempts)
    return BeginFailure(
        "failed " + std::to_string(record().attempts) + " times, the last time: " + retry.why,
        "",
        false);
  const absl::Duration delay =
      retry.delay ? *retry.delay : BackoffDelay(step().backoff, record().attempts - 1);
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

OperationRun::Continue OperationRun::BeginFailure(const std::string& why,
                                                  const std::string& help,
                                                  bool timed_out) {
  const int failed = operation_.current_step;
  record().state = StepState::kFailed;
  record().finished_at = clock_.Now();
  record().last_error = why;
  operation_.error = "step " + record().name + ": " + why;
  operation_.help = help.empty() ? workflow_->help : help;
  ClearWait();
  mesh::v1::UndoProgress& undo = *memory_.mutable_undo();
  undo.set_failed_step(failed);
  undo.set_why(why);
  undo.set_timed_out(timed_out);
  undo.set_next_step(NextUndo(failed));
  undo.set_attempts(1);
  log_.Warning("operation failed", {{"step", record().name}, {"why", why}});
  if (undo.next_step() < 0) return EndFailed({}, "");
  operation_.state = OperationState::kCancelling;
  return WriteAndGoOn({});
}

OperationRun::Continue OperationRun::RunUndo() {
  const int next = memory_.undo().next_step();
  if (next < 0 || next >= static_cast<int>(workflow_->steps.size())) return EndFailed({}, "");
  const Step& undone = workflow_->steps[static_cast<std::size_t>(next)];
  operation_.state = OperationState::kCancelling;
  const Outcome outcome =
      Invoke(undone.undo, undone, memory_.undo().attempts(), absl::InfiniteFuture());
  if (lost_ || term_->lost.stop_requested()) return Result::kLost;
  if (const auto* done = std::get_if<Done>(&outcome)) return OnUndone(*done);
  if (const auto* retry = std::get_if<RetryAfter>(&outcome))
    return OnUndoRetry(retry->why, retry->delay);
  // A wait counts as an attempt here: an undo is not given a deadline of its own, and must end.
  if (const auto* wait = std::get_if<WaitFor>(&outcome))
    return OnUndoRetry(wait->why, wait->at_most);
  return EndFailed({}, undone.name + " (" + std::get<Fail>(outcome).why + ")");
}

OperationRun::Continue OperationRun::OnUndone(const Done& done) {
  mesh::v1::UndoProgress& undo = *memory_.mutable_undo();
  StepRecord& undone = operation_.steps[static_cast<std::size_t>(undo.next_step())];
  if (undone.state == StepState::kDone) undone.state = StepState::kUndone;
  ClearWait();
  undo.set_next_step(NextUndo(undo.next_step() - 1));
  undo.set_attempts(1);
  if (undo.next_step() < 0) return EndFailed(done.effects, "");
  return WriteAndGoOn(done.effects);
}

OperationRun::Continue OperationRun::OnUndoRetry(const std::string& why,
                                                 std::optional<absl::Duration> delay) {
  mesh::v1::UndoProgress& undo = *memory_.mutable_undo();
  const Step& undone = workflow_->steps[static_cast<std::size_t>(undo.next_step())];
  if (undo.attempts() >= undone.attempts) {
    std::string remains = undone.name + " (" + why + ")";
    for (int i = NextUndo(undo.next_step() - 1); i >= 0; i = NextUndo(i - 1))
      remains += ", " + workflow_->steps[static_cast<std::size_t>(i)].name;
    return EndFailed({}, remains);
  }
  const absl::Time due =
      clock_.Now() + (delay ? *delay : BackoffDelay(undone.backoff, undo.attempts() - 1));
  undo.set_attempts(undo.attempts() + 1);
  return Release(due, "undoing " + undone.name + " is tried again: " + why, "", {});
}

OperationRun::Result OperationRun::EndFailed(std::vector<Effect> effects,
                                             const std::string& remains) {
  if (!remains.empty()) operation_.error += "; not undone: " + remains;
  Failure failure;
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
  // Whatever was sealed in it is needed no more.
  effects.emplace_back(EraseInput{});
  operation_.state = OperationState::kFailed;
  return WriteEnd(effects);
}

Outcome OperationRun::Invoke(const std::function<Outcome(StepContext&)>& function,
                             const Step& step,
                             int attempt,
                             absl::Time deadline) {
  StepContext::Scope scope;
  scope.now = clock_.Now();
  scope.call =
      CallFor(std::min(step.run_limit, deadline - scope.now), term_->lost, operation_.id.value());
  scope.operation = &operation_;
  scope.attempt = attempt;
  scope.generation = generation_;
  scope.signals = &signals_;
  scope.facts = &facts_;
  scope.log = log_.With("step", step.name);
  scope.load = [this](const trove::Call& call) {
    return store_.LoadTarget(call, operation_.id);
  };
  scope.save = [this](const std::vector<Effect>& effects) {
    return Write(effects, false);
  };
  StepContext context(std::move(scope));
  Outcome outcome;
  try {
    outcome = function(context);
  } catch (const std::exception& error) {
    outcome = RetryAfter{std::string("it threw: ") + error.what(), std::nullopt};
  }
  consumed_ = context.TakeConsumed();
  after_write_ = context.TakeAfterWrite();
  return outcome;
}

OperationRun::Result OperationRun::Release(absl::Time due,
                                           const std::string& why,
                                           const std::string& signal,
                                           const std::vector<Effect>& effects) {
  const bool undoing = memory_.has_undo();
  if (!operation_.waiting_since) operation_.waiting_since = clock_.Now();
  if (!undoing) operation_.state = OperationState::kWaiting;
  operation_.due_at = undoing ? due : std::min(due, operation_.deadline);
  operation_.reason = why;
  operation_.awaited_signal = signal;
  const absl::Status written = Write(effects, true);
  return written.ok() ? Result::kReleased : NotWritten(written);
}

OperationRun::Continue OperationRun::WriteAndGoOn(const std::vector<Effect>& effects) {
  const bool release = draining_.stop_requested();
  operation_.due_at = clock_.Now();
  const absl::Status written = Write(effects, release);
  if (!written.ok()) return NotWritten(written);
  return release ? Continue(Result::kReleased) : std::nullopt;
}

OperationRun::Result OperationRun::WriteEnd(const std::vector<Effect>& effects) {
  ClearWait();
  operation_.finished_at = clock_.Now();
  absl::Status written = Write(effects, true);
  if (!written.ok() && !absl::IsAborted(written) && !effects.empty()) {
    // An end without its effects is better than none: delete still works.
    log_.Error("an operation's last effects could not be written", {{"error", written}});
    written = Write({}, true);
  }
  if (!written.ok()) return NotWritten(written);
  log_.Info("operation ended", {{"error", operation_.error}});
  return Result::kEnded;
}

OperationRun::Result OperationRun::NotWritten(const absl::Status& error) {
  if (lost_ || absl::IsAborted(error)) return Result::kLost;
  log_.Error("an operation's outcome could not be written", {{"error", error}});
  return Result::kHeld;
}

absl::Status OperationRun::Write(const std::vector<Effect>& effects, bool release) {
  if (lost_) return absl::AbortedError("the operation is somebody else's");
  memory_.mutable_facts()->clear();
  for (const auto& [name, value] : facts_)
    (*memory_.mutable_facts())[name] = value;
  operation_.memory = memory_.SerializeAsString();
  OperationWrite write{operation_, effects, consumed_, release};
  for (int attempt = 0;; ++attempt) {
    const auto version = store_.WriteOperation(
        CallFor(kWriteTime, term_->lost, operation_.id.value()), term_->id, write);
    if (version.ok()) {
      operation_.version = *version;
      break;
    }
    // Repeating is safe: the same content, and only as long as the operation is ours.
    if (term_->lost.stop_requested() || absl::IsAborted(version.status())) {
      lost_ = true;
      return absl::AbortedError("the operation is somebody else's");
    }
    if (IsRefusal(version.status())) return version.status();
    log_.Warning("the store does not take an outcome yet", {{"error", version.status()}});
    Pause(term_->lost, BackoffDelay(kWriteBackoff, attempt));
  }
  for (const std::string& name : consumed_)
    std::erase_if(signals_, [&](const Signal& signal) { return signal.name == name; });
  consumed_.clear();
  for (const auto& then : std::exchange(after_write_, {}))
    then();
  return absl::OkStatus();
}

absl::Time OperationRun::StepDeadline() {
  return std::min(operation_.deadline, record().started_at.value_or(clock_.Now()) + step().limit);
}

void OperationRun::Start(StepRecord& record) {
  record.state = StepState::kRunning;
  record.attempts = 1;
  record.started_at = clock_.Now();
}

void OperationRun::ClearWait() {
  operation_.reason.clear();
  operation_.awaited_signal.clear();
  operation_.waiting_since.reset();
}

int OperationRun::NextUndo(int from) const {
  for (int i = from; i >= 0; --i) {
    const auto index = static_cast<std::size_t>(i);
    if (workflow_->steps[index].undo && operation_.steps[index].state != StepState::kPending)
      return i;
  }
  return -1;
}

}  // namespace trove::taskmanager
