#include <utility>

#include "libtrove/base/status.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/guest_steps.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/server_settings.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

// A server that stops in order starts sooner; one that does not is ended by the next step.
constexpr absl::Duration kStopTime = absl::Minutes(1);
constexpr absl::Duration kStopPatience = absl::Seconds(90);
// For a guest agent that does not answer: it may be the reason for the rebuild.
constexpr absl::Duration kUnheardPatience = absl::Seconds(10);

constexpr absl::Duration kStartTime = absl::Minutes(5);
// Trove's own limit for a rebuilt server to be healthy.
constexpr absl::Duration kAdoptTime = absl::Minutes(15);

constexpr char kStoppedFact[] = "was_stopped";

constexpr char kHelp[] =
    "The data is as it was. Mend what the error names, then retry the operation or rebuild the "
    "instance again.";

// Twice is safe: the same job is done once by the guest. And whatever comes of it: the next step
// does it by force.
Outcome Stop(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  if (context.Fact(kStoppedFact).empty())
    context.SetFact(kStoppedFact,
                    target->instance.service == ServiceStatus::kShutdown ? "yes" : "no");
  auto driven = parts.jobs.Drive(context, target->guest.id, kStopTime, StopOf);
  const auto* outcome = std::get_if<Outcome>(&driven);
  const auto* wait = outcome == nullptr ? nullptr : std::get_if<WaitFor>(outcome);
  if (wait == nullptr) return Done{};
  const absl::Time began = context.operation().waiting_since.value_or(context.now());
  const absl::Duration patience = Jobs::IsUnheard(*wait) ? kUnheardPatience : kStopPatience;
  const absl::Duration left = began + patience - context.now();
  if (left <= absl::ZeroDuration()) {
    context.log().Info("a guest did not stop its server", {{"why", wait->why}});
    return Done{};
  }
  WaitFor shorter = *wait;
  shorter.at_most = std::min(shorter.at_most, left);
  return shorter;
}

// Twice is safe: the same job is done once by the guest.
Outcome StartAgain(const WorkflowParts& parts, StepContext& context) {
  if (context.Fact(kStoppedFact) == "yes") return Done{};
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  auto driven = UndoByJob(parts, context, *target, kStartTime, StartOf);
  if (const auto* report = std::get_if<mesh::v1::JobReport>(&driven))
    return Done{ServerAsReported(*report)};
  return std::get<Outcome>(std::move(driven));
}

// Twice is safe: what is gone is gone, and nothing has been made anew before this is recorded.
Outcome Reset(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  const absl::Status reset =
      parts.provisioner.Reset(context.call(), RefOf(target->guest, context.generation()));
  if (!reset.ok()) return OutcomeOf(reset);
  return Done{Effects(ResetGuest{})};
}

// Twice is safe: it is the same token, and a guest that runs is adopted.
Outcome StartGuest(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  const absl::Status started = EnsureGuest(parts, context, *target);
  if (!started.ok()) return OutcomeOf(started);
  return Done{};
}

// Twice is safe: the same job is done once by the guest.
Outcome Adopt(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  auto driven = RunJob(
      parts, context, *target, kAdoptTime, [&] { return AdoptOf(ServerSettingsOf(*target)); });
  if (const auto* report = std::get_if<mesh::v1::JobReport>(&driven))
    return Done{ServerAsReported(*report)};
  return std::get<Outcome>(std::move(driven));
}

// What the guest says next replaces this status.
std::vector<Effect> ShowFailure(const Failure& failure) {
  if (failure.step == "stop") return Effects(SetTask{TaskStatus::kNone});
  return Effects(SetTask{TaskStatus::kNone},
                 SetService{failure.timed_out || failure.step == "connect"
                                ? ServiceStatus::kFailedTimeoutGuestAgent
                                : ServiceStatus::kFailed});
}

}  // namespace

Workflow RebuildInstanceWorkflow(const WorkflowParts& parts) {
  Workflow rebuild;
  rebuild.kind = "instance.rebuild";
  rebuild.deadline = absl::Minutes(30);
  rebuild.help = kHelp;
  rebuild.on_failed = ShowFailure;
  rebuild.on_cancelled = EndTaskCancelled;
  rebuild.steps = {
      {.name = "stop",
       .run = With(parts, Stop),
       .undo = With(parts, StartAgain),
       .limit = absl::Minutes(3),
       // A guest that is half removed cannot be put together again.
       .point_of_no_return = true,
       .undo_limit = absl::Minutes(6)},
      {.name = "reset", .run = With(parts, Reset), .run_limit = absl::Minutes(1)},
      {.name = "guest",
       .run = With(parts, StartGuest),
       .limit = absl::Minutes(3),
       .run_limit = absl::Minutes(1),
       .repeats_late = true},
      {.name = "connect", .run = With(parts, AwaitGuest), .limit = absl::Minutes(3)},
      {.name = "adopt", .run = With(parts, Adopt), .limit = absl::Minutes(17), .attempts = 3},
      SayStep("finish",
              [](StepContext&) -> Outcome { return Done{Effects(SetTask{TaskStatus::kNone})}; }),
  };
  return rebuild;
}

}  // namespace trove::taskmanager
