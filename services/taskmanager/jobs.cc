#include "services/taskmanager/jobs.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <google/protobuf/util/time_util.h>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::taskmanager {
namespace {

using google::protobuf::util::TimeUtil;

// After that nobody looks for an answer any more: its operation has ended, or is somebody else's.
constexpr absl::Duration kKept = absl::Minutes(1);

// An answer to a cancel takes a round trip.
constexpr absl::Duration kCancelLook = absl::Milliseconds(200);

// Publishing is writing to memory.
constexpr absl::Duration kPublishTime = absl::Seconds(1);

constexpr std::string_view kUnheard = "waits for the guest agent";
// The engine puts this before what an undo says.
constexpr std::string_view kUndoing = "undoing step ";

std::string JobIdOf(const Operation& operation, const std::string& step, int attempt) {
  return operation.id.value() + "/" + step + "/" + std::to_string(attempt);
}

std::string SignalOf(const std::string& job_id) {
  return "job:" + job_id;
}

// Notes which job of a step has ended.
std::string OverFact(const std::string& step) {
  return "over:" + step;
}

absl::StatusOr<std::string> Envelope(const identity::JobSigner& signer, const mesh::v1::Job& job) {
  mesh::v1::JobEnvelope envelope;
  envelope.set_job(job.SerializeAsString());
  TROVE_ASSIGN_OR_RETURN(const identity::JobSignature signature, signer.Sign(envelope.job()));
  envelope.set_key_id(signature.key_id);
  envelope.set_signature(signature.signature);
  return envelope.SerializeAsString();
}

std::string RefOf(const std::string& job_id, std::int64_t generation) {
  mesh::v1::JobRef ref;
  ref.set_job_id(job_id);
  ref.set_generation(generation);
  return ref.SerializeAsString();
}

// Each claim has a higher generation, and each sending a new expiry.
bool MayBeTakenLater(const mesh::v1::JobAck& ack) {
  return ack.reason() == "STALE_GENERATION" || ack.reason() == "EXPIRED" || ack.reason() == "BUSY";
}

// What the guest itself last said of this job is worth more than our words.
std::string DoingReason(const Operation& operation, const std::string& signal) {
  const bool has_said = operation.awaited_signal == signal && !operation.reason.empty() &&
                        !operation.reason.starts_with(kUnheard) &&
                        !operation.reason.starts_with(kUndoing);
  return has_said ? operation.reason : "waits for the guest to do it";
}

}  // namespace

Jobs::Jobs(Bus& bus, identity::JobSigner signer, Options options)
    : bus_(bus), signer_(std::move(signer)), options_(options) {}

std::variant<mesh::v1::JobReport, Outcome> Jobs::Drive(StepContext& context,
                                                       const GuestId& guest,
                                                       absl::Duration time_limit,
                                                       const MakeJob& make) {
  const std::string step = context.step() + (context.undoing() ? "-undo" : "");
  const std::string job_id = JobIdOf(context.operation(), step, context.attempt());
  const std::string name = SignalOf(job_id);
  if (const Signal* signal = context.FindSignal(name)) {
    mesh::v1::JobReport report;
    const bool readable = report.ParseFromString(signal->payload);
    context.Consume(name);
    context.SetFact(OverFact(step), job_id);
    EndJob(context, guest, job_id);
    if (!readable) return Outcome(RetryAfter{"the guest's report is unreadable", std::nullopt});
    switch (report.state()) {
      case mesh::v1::JobReport::STATE_SUCCEEDED:
        return report;
      case mesh::v1::JobReport::STATE_INTERRUPTED:
        return Outcome(RetryAfter{"the guest agent died in the middle: " + report.error(),
                                  absl::ZeroDuration()});
      case mesh::v1::JobReport::STATE_CANCELLED:
        return Outcome(RetryAfter{"the guest stopped it: " + report.error(), std::nullopt});
      default:
        if (report.retryable()) return Outcome(RetryAfter{report.error(), std::nullopt});
        return Outcome(Fail{report.error(), ""});
    }
  }

  std::string trouble;
  if (const std::optional<Heard> heard = Find(job_id)) {
    const absl::Duration since = context.now() - heard->at;
    mesh::v1::JobAck ack;
    // Not heard is no failure of the job: nothing happened, or it is already under way. The step's
    // own time limits how often that may be.
    if (!heard->answer) {
      if (since < options_.ack_within)
        return Outcome(
            WaitFor{DoingReason(context.operation(), name), name, options_.ack_within - since, {}});
      trouble = std::string(kUnheard) + ", which does not answer";
    } else if (!heard->answer->ok()) {
      trouble = absl::IsUnavailable(heard->answer->status())
                    ? std::string(kUnheard) + " to come back: nobody listens for its jobs"
                    : std::string(kUnheard) + ": " + MessageOf(heard->answer->status());
    } else if (!ack.ParseFromString(**heard->answer)) {
      trouble = std::string(kUnheard) + ", whose answer is unreadable";
    } else if (!ack.refused().empty()) {
      trouble = "the guest refused the job: " + ack.refused();
      if (!MayBeTakenLater(ack)) {
        Forget(job_id);
        return Outcome(Fail{trouble,
                            "The guest agent and the task manager do not fit together: bring both "
                            "to the same release."});
      }
      trouble = std::string(kUnheard) + ": " + trouble;
    } else if (since < options_.ask_again) {
      return Outcome(
          WaitFor{DoingReason(context.operation(), name), name, options_.ask_again - since, {}});
    }
  }
  const absl::Status sent = Send(context, guest, time_limit, make, job_id);
  if (!sent.ok()) return OutcomeOf(sent);
  if (!trouble.empty()) return Outcome(WaitFor{trouble, name, options_.retry_unsent, {}});
  return Outcome(WaitFor{DoingReason(context.operation(), name), name, options_.ack_within, {}});
}

bool Jobs::IsUnheard(const WaitFor& wait) {
  return wait.why.starts_with(kUnheard);
}

std::optional<Outcome> Jobs::Stop(StepContext& context, const GuestId& guest) {
  const std::string& step = context.step();
  const auto& steps = context.operation().steps;
  const auto record = std::find_if(
      steps.begin(), steps.end(), [&](const StepRecord& each) { return each.name == step; });
  if (record == steps.end() || record->state == StepState::kDone || record->attempts == 0)
    return std::nullopt;
  const std::string job_id = JobIdOf(context.operation(), step, record->attempts);
  if (context.Fact(OverFact(step)) == job_id) return std::nullopt;
  const std::string name = SignalOf(job_id);
  const std::string key = "cancel:" + job_id;
  const auto over = [&]() -> std::optional<Outcome> {
    context.Consume(name);
    context.SetFact(OverFact(step), job_id);
    EndJob(context, guest, job_id);
    Forget(key);
    return std::nullopt;
  };
  if (context.FindSignal(name) != nullptr) return over();

  const std::string since_fact = "stopping:" + job_id;
  absl::Time since;
  if (!absl::ParseTime(absl::RFC3339_full, context.Fact(since_fact), &since, nullptr)) {
    since = context.now();
    context.SetFact(since_fact, absl::FormatTime(since, absl::UTCTimeZone()));
  }
  const absl::Duration left = since + options_.stop_within - context.now();
  // One that nothing is heard of does no more: the next job waits for it in the guest's own queue.
  if (left <= absl::ZeroDuration()) return over();
  if (const std::optional<Heard> heard = Find(key); heard && heard->answer && heard->answer->ok()) {
    mesh::v1::JobAck ack;
    const bool readable = ack.ParseFromString(**heard->answer);
    if (readable && ack.reason() == "NOT_RUNNING") return over();
    if (readable && ack.refused().empty())
      return WaitFor{"waits for the guest to stop what it does", name, left, {}};
  }
  const auto subject = GuestCancelSubject(guest);
  if (!subject.ok()) return OutcomeOf(subject.status());
  Ask(context, key, *subject, RefOf(job_id, context.generation()));
  return WaitFor{"waits for the guest to stop what it does", name, std::min(kCancelLook, left), {}};
}

absl::Status Jobs::Send(StepContext& context,
                        const GuestId& guest,
                        absl::Duration time_limit,
                        const MakeJob& make,
                        const std::string& job_id) {
  TROVE_ASSIGN_OR_RETURN(mesh::v1::Job job, make());
  job.set_id(job_id);
  job.set_guest_id(guest.value());
  job.set_generation(context.generation());
  *job.mutable_expires_at() =
      TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(context.now() + options_.begin_within));
  *job.mutable_time_limit() = TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(time_limit));
  TROVE_ASSIGN_OR_RETURN(const Subject subject, GuestJobSubject(guest));
  TROVE_ASSIGN_OR_RETURN(const std::string envelope, Envelope(signer_, job));
  Ask(context, job_id, subject, envelope);
  return absl::OkStatus();
}

void Jobs::Ask(StepContext& context,
               const std::string& key,
               const Subject& subject,
               const std::string& payload) {
  Sent sent;
  sent.at = context.now();
  auto asked = bus_.Ask(context.call(), subject, payload);
  sent.failed = asked.status();
  if (asked.ok()) sent.inquiry = *std::move(asked);
  std::vector<std::shared_ptr<Inquiry>> ended;  // after the lock
  const MutexLock lock(mutex_);
  order_.emplace_back(sent.at, key);
  std::swap(sent_[key], sent);
  ended.push_back(std::move(sent.inquiry));
  while (!order_.empty() && order_.front().first < context.now() - kKept) {
    const auto found = sent_.find(order_.front().second);
    if (found != sent_.end() && found->second.at == order_.front().first) {
      ended.push_back(std::move(found->second.inquiry));
      sent_.erase(found);
    }
    order_.pop_front();
  }
}

std::optional<Jobs::Heard> Jobs::Find(const std::string& key) const {
  Sent sent;
  {
    const MutexLock lock(mutex_);
    const auto found = sent_.find(key);
    if (found == sent_.end()) return std::nullopt;
    sent = found->second;
  }
  if (sent.inquiry == nullptr) return Heard{sent.at, absl::StatusOr<std::string>(sent.failed)};
  return Heard{sent.at, sent.inquiry->Answer()};
}

void Jobs::Forget(const std::string& key) {
  std::shared_ptr<Inquiry> ended;
  const MutexLock lock(mutex_);
  const auto found = sent_.find(key);
  if (found == sent_.end()) return;
  ended = std::move(found->second.inquiry);
  sent_.erase(found);
}

void Jobs::EndJob(StepContext& context, const GuestId& guest, const std::string& job_id) {
  Forget(job_id);
  context.AfterWrite([this, guest, job_id, generation = context.generation()] {
    const auto subject = GuestSettledSubject(guest);
    if (!subject.ok()) return;
    // Losing it costs the guest a line in its journal.
    const absl::Status told =
        bus_.Publish(CallFor(kPublishTime), *subject, RefOf(job_id, generation));
    if (!told.ok())
      Log().Debug("a guest does not know that its result is stored",
                  {{"guest", guest.value()}, {"job", job_id}, {"error", told}});
  });
}

}  // namespace trove::taskmanager
