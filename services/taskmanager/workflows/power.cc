// Restart, stop and start.

#include <utility>

#include "services/taskmanager/workflows/guest_steps.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

// Trove's own limit for a restart, and for a server to stop or start.
constexpr absl::Duration kRestartTime = absl::Minutes(3);
constexpr absl::Duration kStopTime = absl::Minutes(3);
// A server that went down the hard way brings its data in order first.
constexpr absl::Duration kStartTime = absl::Minutes(5);

constexpr char kLookAtLog[] =
    "Look at the database server's log; mend what it names, as a parameter of the configuration "
    "group, and restart the instance.";

// Each of these is one job. Twice is safe: the same job is done once by the guest.
Outcome ByJob(const WorkflowParts& parts,
              StepContext& context,
              absl::Duration limit,
              const Jobs::MakeJob& make) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  auto driven = RunJob(parts, context, *target, limit, make, kLookAtLog);
  if (const auto* report = std::get_if<mesh::v1::JobReport>(&driven))
    return Done{ServerAsReported(*report)};
  return std::get<Outcome>(std::move(driven));
}

Outcome UndoneByJob(const WorkflowParts& parts,
                    StepContext& context,
                    absl::Duration limit,
                    const Jobs::MakeJob& make) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  auto driven = UndoByJob(parts, context, *target, limit, make);
  if (const auto* report = std::get_if<mesh::v1::JobReport>(&driven))
    return Done{ServerAsReported(*report)};
  return std::get<Outcome>(std::move(driven));
}

Outcome Restart(const WorkflowParts& parts, StepContext& context) {
  return ByJob(parts, context, kRestartTime, RestartOf);
}

Outcome Stop(const WorkflowParts& parts, StepContext& context) {
  return ByJob(parts, context, kStopTime, StopOf);
}

Outcome Start(const WorkflowParts& parts, StepContext& context) {
  return ByJob(parts, context, kStartTime, StartOf);
}

Outcome StartAgain(const WorkflowParts& parts, StepContext& context) {
  return UndoneByJob(parts, context, kStartTime, StartOf);
}

Outcome StopAgain(const WorkflowParts& parts, StepContext& context) {
  return UndoneByJob(parts, context, kStopTime, StopOf);
}

Step Finish() {
  return SayStep("finish",
                 [](StepContext&) -> Outcome { return Done{Effects(SetTask{TaskStatus::kNone})}; });
}

// The task ends, as Trove's does. What the guest says next replaces this status.
std::vector<Effect> ShowFailure(const Failure& failure) {
  std::vector<Effect> effects = Effects(SetTask{TaskStatus::kNone});
  if (!failure.remains.empty())
    effects.emplace_back(
        SetService{failure.timed_out ? ServiceStatus::kUnknown : ServiceStatus::kCrashed});
  return effects;
}

}  // namespace

Workflow RestartInstanceWorkflow(const WorkflowParts& parts) {
  Workflow restart;
  restart.kind = "instance.restart";
  restart.deadline = absl::Minutes(5);
  restart.help = kLookAtLog;
  restart.on_failed = ShowFailure;
  restart.on_cancelled = EndTaskCancelled;
  restart.steps = {{.name = "restart",
                    .run = With(parts, Restart),
                    .undo = With(parts, StartAgain),
                    .limit = absl::Minutes(4),
                    .attempts = 2,
                    .undo_limit = absl::Minutes(6)},
                   Finish()};
  return restart;
}

Workflow StopInstanceWorkflow(const WorkflowParts& parts) {
  Workflow stop;
  stop.kind = "instance.stop";
  stop.deadline = absl::Minutes(5);
  stop.help = "Look at the database server's log, and stop the instance again.";
  stop.on_failed = ShowFailure;
  stop.on_cancelled = EndTaskCancelled;
  stop.steps = {
      {.name = "stop",
       .run = With(parts, Stop),
       .undo = With(parts, StartAgain),
       .limit = absl::Minutes(4),
       .attempts = 2,
       .undo_limit = absl::Minutes(6)},
      SayStep("finish", [](StepContext&) -> Outcome {
        return Done{Effects(SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kShutdown})};
      })};
  return stop;
}

Workflow StartInstanceWorkflow(const WorkflowParts& parts) {
  Workflow start;
  start.kind = "instance.start";
  start.deadline = absl::Minutes(8);
  start.help = kLookAtLog;
  // A server that comes up late has still come up: only who cancels wants it down again.
  start.undo_on_failure = false;
  start.on_failed = [](const Failure& failure) {
    return Effects(
        SetTask{TaskStatus::kNone},
        SetService{failure.timed_out ? ServiceStatus::kUnknown : ServiceStatus::kCrashed});
  };
  start.on_cancelled = EndTaskCancelled;
  start.steps = {{.name = "start",
                  .run = With(parts, Start),
                  .undo = With(parts, StopAgain),
                  .limit = absl::Minutes(7),
                  .attempts = 2},
                 Finish()};
  return start;
}

}  // namespace trove::taskmanager
