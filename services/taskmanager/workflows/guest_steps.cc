#include "services/taskmanager/workflows/guest_steps.h"

#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/token.h"
#include "services/taskmanager/enrolment.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/local_target.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kTokenLife = absl::Minutes(15);

// How often a guest that is not heard is made sure of again, while its step waits for it.
constexpr absl::Duration kLookAgain = absl::Seconds(5);

constexpr char kTokenFact[] = "token_good_until";
constexpr char kGuestConnected[] = "guest.connected";

// The token's hash must be in the store before a guest comes with the token. Not saved again while
// it is good: that would open it to other keys than those that have just been tried with it.
absl::Status SaveToken(StepContext& context, const Secret& token) {
  absl::Time good_until;
  if (absl::ParseTime(absl::RFC3339_full, context.Fact(kTokenFact), &good_until, nullptr) &&
      context.now() < good_until - kTokenLife / 2)
    return absl::OkStatus();
  good_until = context.now() + kTokenLife;
  context.SetFact(kTokenFact, absl::FormatTime(good_until, absl::UTCTimeZone()));
  return context.Save(Effects(SetEnrolmentToken{identity::HashToken(token), good_until}));
}

}  // namespace

std::function<Outcome(StepContext&)> With(const WorkflowParts& parts, StepFunction function) {
  return [parts, function](StepContext& context) {
    return function(parts, context);
  };
}

Step SayStep(std::string name, std::function<Outcome(StepContext&)> run) {
  Step step;
  step.name = std::move(name);
  step.run = std::move(run);
  step.only_effects = true;
  return step;
}

absl::StatusOr<mesh::v1::OperationInput> InputOf(const Operation& operation) {
  mesh::v1::OperationInput input;
  if (!input.ParseFromString(operation.input))
    return absl::InvalidArgumentError("the operation's input is unreadable");
  return input;
}

absl::Status EnsureGuest(const WorkflowParts& parts,
                         StepContext& context,
                         const OperationTarget& target) {
  GuestSpec spec = GuestSpecOf(target, context.generation(), parts.mesh);
  if (!target.guest.enrolled_at) {
    spec.enrolment_token =
        EnrolmentTokenOf(parts.master_key, context.operation().id, target.guest.id);
    TROVE_RETURN_IF_ERROR(SaveToken(context, spec.enrolment_token));
  }
  return parts.provisioner.Ensure(context.call(), spec);
}

Outcome AwaitGuest(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  // A heartbeat that an earlier life of the guest left behind is not its own.
  if (target->guest.enrolled_at &&
      (target->guest.incarnation > 0 || context.FindSignal(kGuestConnected) != nullptr)) {
    context.Consume(kGuestConnected);
    return Done{};
  }
  const std::string why = target->guest.enrolled_at
                              ? "waits for the first heartbeat of the guest agent"
                              : "waits for the guest agent to enrol";
  // Not on the first look: the guest has just been started.
  if (context.operation().waiting_since) {
    const absl::Status still = EnsureGuest(parts, context, *target);
    if (!still.ok()) return WaitFor{why + ": " + MessageOf(still), kGuestConnected, kLookAgain, {}};
  }
  return WaitFor{why, kGuestConnected, kLookAgain, {}};
}

std::variant<mesh::v1::JobReport, Outcome> RunJob(const WorkflowParts& parts,
                                                  StepContext& context,
                                                  const OperationTarget& target,
                                                  absl::Duration time_limit,
                                                  const Jobs::MakeJob& make,
                                                  const std::string& help) {
  auto driven = parts.jobs.Drive(context, target.guest.id, time_limit, make);
  auto* outcome = std::get_if<Outcome>(&driven);
  if (outcome == nullptr) return driven;
  if (auto* fail = std::get_if<Fail>(outcome); fail != nullptr && fail->help.empty())
    fail->help = help;
  // It may have failed because the host lost the keeper: the next try finds another.
  if (auto* retry = std::get_if<RetryAfter>(outcome)) {
    const absl::Status still = EnsureGuest(parts, context, target);
    if (!still.ok()) retry->why += "; and the guest agent's host: " + MessageOf(still);
  }
  auto* wait = std::get_if<WaitFor>(outcome);
  // Not on the first look: it has just been sent.
  if (wait != nullptr && context.operation().waiting_since) {
    const absl::Status still = EnsureGuest(parts, context, target);
    // In these words, so that they are not taken for the guest's own at the next look.
    if (!still.ok()) wait->why = "waits for the guest agent's host: " + MessageOf(still);
  }
  return driven;
}

std::variant<mesh::v1::JobReport, Outcome> UndoByJob(const WorkflowParts& parts,
                                                     StepContext& context,
                                                     const OperationTarget& target,
                                                     absl::Duration time_limit,
                                                     const Jobs::MakeJob& make) {
  if (auto stopping = parts.jobs.Stop(context, target.guest.id)) return *std::move(stopping);
  return RunJob(parts, context, target, time_limit, make);
}

absl::StatusOr<mesh::v1::Job> RestartOf() {
  mesh::v1::Job job;
  job.mutable_restart();
  return job;
}

absl::StatusOr<mesh::v1::Job> StopOf() {
  mesh::v1::Job job;
  job.mutable_stop();
  return job;
}

absl::StatusOr<mesh::v1::Job> StartOf() {
  mesh::v1::Job job;
  job.mutable_start();
  return job;
}

absl::StatusOr<mesh::v1::Job> UpgradeOf(const mesh::v1::ServerSettings& settings) {
  mesh::v1::Job job;
  *job.mutable_upgrade()->mutable_settings() = settings;
  return job;
}

absl::StatusOr<mesh::v1::Job> AdoptOf(const mesh::v1::ServerSettings& settings) {
  mesh::v1::Job job;
  *job.mutable_adopt()->mutable_settings() = settings;
  return job;
}

absl::StatusOr<mesh::v1::Job> ConfigureOf(const mesh::v1::ServerSettings& settings,
                                          bool may_restart) {
  mesh::v1::Job job;
  *job.mutable_configure()->mutable_settings() = settings;
  job.mutable_configure()->set_may_restart(may_restart);
  return job;
}

std::vector<Effect> ServerAsReported(const mesh::v1::JobReport& report) {
  if (report.running_version().empty()) return Effects(SetService{ServiceStatus::kShutdown});
  return Effects(SetService{ServiceStatus::kHealthy}, SetRunningVersion{report.running_version()});
}

std::function<std::vector<Effect>(const Failure&)> EndTask(TaskStatus stuck) {
  return [stuck](const Failure& failure) {
    return Effects(SetTask{failure.remains.empty() ? TaskStatus::kNone : stuck});
  };
}

std::vector<Effect> EndTaskCancelled() {
  return Effects(SetTask{TaskStatus::kNone});
}

}  // namespace trove::taskmanager
