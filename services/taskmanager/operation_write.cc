// How an operation's steps are called, and how what they say becomes durable.

#include <algorithm>
#include <exception>
#include <utility>

#include "libtrove/base/backoff.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/model/validation.h"
#include "services/taskmanager/operation_run.h"
#include "services/taskmanager/pause.h"

namespace trove::taskmanager {
namespace {

// One write waits this long for the store before it is tried again.
constexpr absl::Duration kWriteTime = absl::Seconds(2);
constexpr BackoffPolicy kWriteBackoff = {absl::Milliseconds(50), absl::Seconds(1)};

// Of an operation that nothing can be said of: until it is looked at again.
constexpr absl::Duration kRefusedWait = absl::Seconds(30);

// For so long the store may show an earlier step than the one that runs.
constexpr absl::Duration kUnwrittenTime = absl::Milliseconds(25);

// For so long one step after another acts on the same reading of what it acts on.
constexpr absl::Duration kTargetTime = absl::Milliseconds(10);

constexpr std::size_t kPlainLength = 500;

// Refused for what it says. Everything else is the store's own trouble, and passes or is mended.
bool IsRefusal(const absl::Status& error) {
  return absl::IsInvalidArgument(error) || absl::IsAlreadyExists(error) ||
         absl::IsNotFound(error) || absl::IsFailedPrecondition(error) ||
         absl::IsPermissionDenied(error) || absl::IsUnimplemented(error);
}

absl::Status IsLost() {
  return absl::AbortedError("the operation is somebody else's");
}

// What is not UTF-8 could be stored, but not read again.
void MakeUtf8(std::string& text) {
  if (IsUtf8(text)) return;
  for (char& each : text)
    if (static_cast<unsigned char>(each) >= 0x80) each = '?';
}

void MakeUtf8(Outcome& outcome) {
  if (auto* retry = std::get_if<RetryAfter>(&outcome)) MakeUtf8(retry->why);
  if (auto* wait = std::get_if<WaitFor>(&outcome)) MakeUtf8(wait->why);
  if (auto* fail = std::get_if<Fail>(&outcome)) {
    MakeUtf8(fail->why);
    MakeUtf8(fail->help);
  }
}

void MakePlainText(std::string& text) {
  if (text.size() > kPlainLength) text.resize(kPlainLength);
  for (char& each : text)
    if (each < ' ' || each > '~') each = '?';
}

}  // namespace

void OperationRun::RequestCancel() {
  std::stop_source stop{std::nostopstate};
  {
    const MutexLock lock(mutex_);
    cancel_seen_ = true;
    if (interruptible_) stop = step_stop_;
  }
  stop.request_stop();
}

void OperationRun::Drop() {
  dropped_ = true;
  std::stop_source stop{std::nostopstate};
  {
    const MutexLock lock(mutex_);
    stop = step_stop_;
  }
  stop.request_stop();
}

bool OperationRun::CancelDue() {
  {
    const MutexLock lock(mutex_);
    operation_.cancel_requested = operation_.cancel_requested || cancel_seen_;
  }
  return operation_.cancel_requested && IsCancellable();
}

bool OperationRun::IsCancellable() const {
  if (workflow_ == nullptr || !workflow_->cancellable) return false;
  // What has ended may be begun again by a retry.
  if (memory_.has_undo() && !IsEnded(operation_.state)) return false;
  for (std::size_t i = 0; i < operation_.steps.size(); ++i) {
    const Step& step = workflow_->steps[i];
    const StepState state = operation_.steps[i].state;
    if (step.point_of_no_return && state == StepState::kDone) return false;
    if (step.not_cancelled && (state == StepState::kRunning || state == StepState::kDone))
      return false;
  }
  return true;
}

Outcome OperationRun::Invoke(const std::function<Outcome(StepContext&)>& function,
                             const Step& step,
                             int attempt,
                             absl::Time deadline) {
  const bool undoing = memory_.has_undo();
  std::stop_source stop;
  {
    const MutexLock lock(mutex_);
    step_stop_ = stop;
    interruptible_ = IsCancellable();
    if (dropped_ || (interruptible_ && cancel_seen_)) stop.request_stop();
  }
  const std::stop_callback when_lost(term_->lost, [&stop] { stop.request_stop(); });
  StepContext::Scope scope;
  scope.now = clock_.Now();
  scope.call = CallFor(
      std::min(step.run_limit, deadline - scope.now), stop.get_token(), operation_.id.value());
  scope.operation = &operation_;
  scope.attempt = attempt;
  scope.undoing = undoing;
  scope.step = step.name;
  scope.generation = generation_;
  scope.signals = &signals_;
  scope.facts = &facts_;
  scope.log = log_.With("step", step.name);
  scope.load = [this](const trove::Call& call) {
    return Load(call);
  };
  scope.save = [this](const std::vector<Effect>& effects) {
    return Save(effects);
  };
  StepContext context(std::move(scope));
  Outcome outcome;
  try {
    outcome = function(context);
  } catch (const std::exception& error) {
    outcome = RetryAfter{std::string("it threw: ") + error.what(), std::nullopt};
  }
  {
    const MutexLock lock(mutex_);
    interruptible_ = false;
  }
  if (fell_back_) return outcome;  // it is dropped
  MakeUtf8(outcome);
  for (auto& [name, value] : facts_)
    MakeUtf8(value);
  for (std::string& name : context.TakeConsumed())
    consumed_.push_back(std::move(name));
  for (auto& then : context.TakeAfterWrite())
    after_write_.push_back(std::move(then));
  return outcome;
}

OperationRun::Continue OperationRun::Release(absl::Time due,
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
  if (written.ok()) return Result::kReleased;
  // The step's effects clash with something: it may know better the next time.
  if (!lost_ && unwritten_steps_ == 0 && !effects.empty()) {
    return undoing ? OnUndoRetry(MessageOf(written), std::nullopt)
                   : OnRetry({MessageOf(written), std::nullopt});
  }
  return NotWritten(written);
}

OperationRun::Continue OperationRun::WriteAndGoOn(const std::vector<Effect>& effects) {
  const bool release = draining_.stop_requested();
  operation_.due_at = clock_.Now();
  const absl::Status written = Write(effects, release);
  if (!written.ok()) return NotWritten(written);
  return release ? Continue(Result::kReleased) : std::nullopt;
}

OperationRun::Continue OperationRun::WriteEnd(const std::vector<Effect>& effects) {
  ClearWait();
  operation_.finished_at = clock_.Now();
  absl::Status written = Write(effects, true);
  if (!written.ok() && unwritten_steps_ > 0) return NotWritten(written);
  if (!written.ok() && !lost_) {
    // An end without its effects is better than none: delete still works.
    log_.Error("an operation's last effects could not be written", {{"error", written}});
    unwritten_effects_.clear();
    written = Write({}, true);
  }
  if (!written.ok() && !lost_) {
    log_.Error("an operation's end could not be written", {{"error", written}});
    MakePlain();
    written = Write({}, true);
  }
  if (!written.ok()) return NotWritten(written);
  log_.Info("operation ended", {{"error", operation_.error}});
  return Result::kEnded;
}

OperationRun::Continue OperationRun::NotWritten(const absl::Status& error) {
  if (lost_) return Result::kLost;
  if (unwritten_steps_ > 0) {
    FallBack();
    return std::nullopt;
  }
  log_.Error("an operation's outcome could not be written: it is looked at again later",
             {{"error", error}});
  // Free for others, with nothing said but that.
  FallBack();
  MakePlain();
  if (!memory_.has_undo()) operation_.state = OperationState::kWaiting;
  operation_.due_at = clock_.Now() + BackoffDelay({kRefusedWait, kRefusedWait}, 0);
  operation_.awaited_signal.clear();
  operation_.waiting_since = clock_.Now();
  operation_.reason = "its outcome could not be recorded: " + MessageOf(error);
  MakePlainText(operation_.reason);
  if (Write({}, true).ok()) return Result::kReleased;
  return lost_ ? Result::kLost : Result::kHeld;
}

absl::StatusOr<OperationTarget> OperationRun::Load(const Call& call) {
  // It must see what earlier steps have said.
  if (!unwritten_effects_.empty()) TROVE_RETURN_IF_ERROR(Save({}));
  if (target_ && absl::Now() - target_at_ < kTargetTime) return *target_;
  const absl::Time now = absl::Now();
  TROVE_ASSIGN_OR_RETURN(target_, store_.LoadTarget(call, operation_.id));
  target_at_ = now;
  return *target_;
}

absl::Status OperationRun::Save(const std::vector<Effect>& effects) {
  absl::Status written = Write(effects, false);
  if (written.ok() || lost_ || unwritten_steps_ == 0) return written;
  // It may be an earlier step that is refused.
  FallBack();
  fell_back_ = true;
  return absl::AbortedError("steps are done again one by one");
}

absl::Status OperationRun::Write(const std::vector<Effect>& effects, bool release) {
  if (lost_) return IsLost();
  memory_.mutable_facts()->clear();
  for (const auto& [name, value] : facts_)
    (*memory_.mutable_facts())[name] = value;
  operation_.memory = memory_.SerializeAsString();
  operation_.cancellable = IsCancellable();
  std::vector<Effect> all = unwritten_effects_;
  all.insert(all.end(), effects.begin(), effects.end());
  const bool changes = !all.empty();
  const absl::Status written = Send({operation_, std::move(all), consumed_, release});
  if (!written.ok()) return written;
  durable_ = operation_;
  if (changes) target_.reset();
  unwritten_effects_.clear();
  unwritten_steps_ = 0;
  unwritten_repeat_late_ = true;
  written_at_ = absl::Now();
  for (const std::string& name : consumed_)
    std::erase_if(signals_, [&](const Signal& signal) { return signal.name == name; });
  consumed_.clear();
  for (const auto& then : std::exchange(after_write_, {}))
    then();
  return absl::OkStatus();
}

absl::Status OperationRun::Send(const OperationWrite& write) {
  for (int attempt = 0;; ++attempt) {
    const auto written = store_.WriteOperation(
        CallFor(kWriteTime, term_->lost, operation_.id.value()), term_->id, write);
    if (written.ok()) {
      operation_.version = written->version;
      operation_.cancel_requested = operation_.cancel_requested || written->cancel_requested;
      return absl::OkStatus();
    }
    // Repeating is safe: the same content, and only as long as the operation is ours.
    if (Lost() || absl::IsAborted(written.status())) {
      lost_ = true;
      return IsLost();
    }
    if (IsRefusal(written.status())) return written.status();
    log_.Warning("the store does not take an outcome yet", {{"error", written.status()}});
    Pause(term_->lost, BackoffDelay(kWriteBackoff, attempt));
  }
}

bool OperationRun::MayStayUnwritten(const Step& done) const {
  if (!together_ || done.point_of_no_return || draining_.stop_requested() ||
      operation_.cancel_requested || absl::Now() - written_at_ > kUnwrittenTime)
    return false;
  return step().only_effects ||
         (unwritten_repeat_late_ && (done.repeats_late || done.only_effects));
}

void OperationRun::FallBack() {
  const bool cancel_requested = operation_.cancel_requested;
  operation_ = durable_;
  operation_.cancel_requested = operation_.cancel_requested || cancel_requested;
  if (!memory_.ParseFromString(operation_.memory)) memory_.Clear();
  facts_.clear();
  facts_.insert(memory_.facts().begin(), memory_.facts().end());
  unwritten_effects_.clear();
  unwritten_steps_ = 0;
  unwritten_repeat_late_ = true;
  together_ = false;
  written_at_ = absl::Now();
  consumed_.clear();
  after_write_.clear();
}

void OperationRun::MakePlain() {
  for (std::string* text : {&operation_.error, &operation_.help, &operation_.reason})
    MakePlainText(*text);
  for (StepRecord& step : operation_.steps)
    MakePlainText(step.last_error);
  if (IsEnded(operation_.state)) {
    memory_.Clear();
    facts_.clear();
  }
}

}  // namespace trove::taskmanager
