#include "services/taskmanager/jobs.h"

#include <string_view>
#include <utility>

#include <google/protobuf/util/time_util.h>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::taskmanager {
namespace {

using google::protobuf::util::TimeUtil;

// Losing one costs the guest a line in its journal.
constexpr std::size_t kMostUnsettled = 4096;

constexpr std::string_view kUnheard = "waits for the guest agent";

std::string JobIdOf(const StepContext& context) {
  const Operation& operation = context.operation();
  return operation.id.value() + "/" +
         operation.steps[static_cast<std::size_t>(operation.current_step)].name + "/" +
         std::to_string(context.attempt());
}

absl::StatusOr<std::string> Envelope(const identity::JobSigner& signer, const mesh::v1::Job& job) {
  mesh::v1::JobEnvelope envelope;
  envelope.set_job(job.SerializeAsString());
  TROVE_ASSIGN_OR_RETURN(const identity::JobSignature signature, signer.Sign(envelope.job()));
  envelope.set_key_id(signature.key_id);
  envelope.set_signature(signature.signature);
  return envelope.SerializeAsString();
}

Outcome OutcomeOfRefusal(const mesh::v1::JobAck& ack, absl::Duration retry) {
  const std::string why = "the guest refused the job: " + ack.refused();
  // Each claim has a higher generation, and each sending a new expiry.
  if (ack.reason() == "STALE_GENERATION" || ack.reason() == "EXPIRED" || ack.reason() == "BUSY")
    return WaitFor{why, "", retry, {}};
  return Fail{why,
              "The guest agent and the task manager do not fit together: bring both to the "
              "same release."};
}

}  // namespace

Jobs::Jobs(Bus& bus, identity::JobSigner signer, Options options)
    : bus_(bus),
      signer_(std::move(signer)),
      options_(options),
      settler_("settle", 2, kMostUnsettled) {}

std::variant<mesh::v1::JobReport, Outcome> Jobs::Drive(StepContext& context,
                                                       const GuestId& guest,
                                                       absl::Duration time_limit,
                                                       const MakeJob& make) {
  const std::string job_id = JobIdOf(context);
  const std::string signal_name = "job:" + job_id;
  const Signal* signal = context.FindSignal(signal_name);
  if (signal == nullptr) return Send(context, guest, time_limit, make, job_id);

  mesh::v1::JobReport report;
  const bool readable = report.ParseFromString(signal->payload);
  context.Consume(signal_name);
  context.AfterWrite([this, guest, job_id, generation = context.generation()] {
    Settle(guest, job_id, generation);
  });
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

Outcome Jobs::Send(StepContext& context,
                   const GuestId& guest,
                   absl::Duration time_limit,
                   const MakeJob& make,
                   const std::string& job_id) {
  auto job = make();
  if (!job.ok()) return OutcomeOf(job.status());
  job->set_id(job_id);
  job->set_guest_id(guest.value());
  job->set_generation(context.generation());
  *job->mutable_expires_at() =
      TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(context.now() + options_.begin_within));
  *job->mutable_time_limit() =
      TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(time_limit));
  const auto subject = GuestJobSubject(guest);
  if (!subject.ok()) return OutcomeOf(subject.status());
  const auto envelope = Envelope(signer_, *job);
  if (!envelope.ok()) return OutcomeOf(envelope.status());

  const auto answer = bus_.Request(context.call().Within(options_.ack_within), *subject, *envelope);
  const std::string signal = "job:" + job_id;
  // Not heard is no failure of the job: nothing happened, or it is already under way. The step's
  // own time limits how often that may be.
  if (absl::IsUnavailable(answer.status()))
    return WaitFor{std::string(kUnheard) + " to come back: nobody listens for its jobs",
                   signal,
                   options_.retry_unsent,
                   {}};
  if (!answer.ok())
    return WaitFor{std::string(kUnheard) + " to answer: " + MessageOf(answer.status()),
                   signal,
                   options_.retry_unsent,
                   {}};
  mesh::v1::JobAck ack;
  if (!ack.ParseFromString(*answer))
    return WaitFor{"the guest agent's answer is unreadable", signal, options_.retry_unsent, {}};
  if (!ack.refused().empty()) return OutcomeOfRefusal(ack, options_.retry_unsent);
  // What the guest itself last said of this job is worth more than our words.
  const Operation& operation = context.operation();
  const bool has_said = operation.awaited_signal == signal && !operation.reason.empty() &&
                        !operation.reason.starts_with(kUnheard);
  return WaitFor{
      has_said ? operation.reason : "waits for the guest to do it", signal, options_.ask_again, {}};
}

void Jobs::Settle(const GuestId& guest, const std::string& job_id, std::int64_t generation) {
  settler_
      .Submit([this, guest, job_id, generation] {
        const auto subject = GuestSettledSubject(guest);
        if (!subject.ok()) return;
        mesh::v1::JobRef ref;
        ref.set_job_id(job_id);
        ref.set_generation(generation);
        const auto answer =
            bus_.Request(CallFor(options_.ack_within), *subject, ref.SerializeAsString());
        if (!answer.ok())
          Log().Debug("a guest does not know yet that its result is stored",
                      {{"guest", guest.value()}, {"job", job_id}, {"error", answer.status()}});
      })
      .IgnoreError();  // the guest keeps one result longer
}

}  // namespace trove::taskmanager
