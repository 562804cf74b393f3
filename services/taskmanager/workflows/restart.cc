#include <utility>

#include "libtrove/base/status.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

// Trove's own limit for a restart.
constexpr absl::Duration kRestartTime = absl::Minutes(3);

// Twice is safe: the same job is done once by the guest.
Outcome Restart(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  auto driven = parts.jobs.Drive(context, target->guest.id, kRestartTime, [] {
    mesh::v1::Job job;
    job.mutable_restart();
    return absl::StatusOr<mesh::v1::Job>(std::move(job));
  });
  if (const auto* report = std::get_if<mesh::v1::JobReport>(&driven))
    return Done{
        Effects(SetService{ServiceStatus::kHealthy}, SetRunningVersion{report->running_version()})};
  Outcome& outcome = std::get<Outcome>(driven);
  auto* wait = std::get_if<WaitFor>(&outcome);
  if (wait != nullptr && context.operation().waiting_since) {
    // In case the host lost it; a guest that runs is not touched.
    const absl::Status still = parts.provisioner.Ensure(
        context.call(), GuestSpecOf(*target, context.generation(), parts.mesh));
    if (!still.ok()) wait->why += ": " + MessageOf(still);
  }
  return std::move(outcome);
}

std::vector<Effect> ShowFailure(const Failure& failure) {
  // The task ends, as Trove's does. What the guest says next replaces this status.
  return Effects(SetTask{TaskStatus::kNone},
                 SetService{failure.timed_out ? ServiceStatus::kUnknown : ServiceStatus::kCrashed});
}

}  // namespace

Workflow RestartInstanceWorkflow(const WorkflowParts& parts) {
  Workflow restart;
  restart.kind = "instance.restart";
  restart.deadline = absl::Minutes(5);
  restart.help = "Look at the database server's log, and restart the instance again.";
  restart.on_failed = ShowFailure;
  restart.steps = {
      {.name = "restart",
       .run = [parts](StepContext& context) { return Restart(parts, context); },
       .limit = absl::Minutes(4),
       .attempts = 2},
      {.name = "finish",
       .run = [](StepContext&) -> Outcome {
         return Done{Effects(SetTask{TaskStatus::kNone})};
       }},
  };
  return restart;
}

}  // namespace trove::taskmanager
