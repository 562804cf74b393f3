// Attach and detach of configuration groups.

#include <utility>

#include "services/taskmanager/workflows/guest_steps.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/server_settings.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

// Trove's own limit for a call of this kind.
constexpr absl::Duration kConfigureTime = absl::Minutes(3);

constexpr char kRestartFact[] = "restart_required";

constexpr char kHelp[] =
    "The instance has the parameters that it had before. Mend the group, and attach it again.";

// The parameters are the new group's (none: at their defaults) or, on the way back, those of the
// group that the instance has. Twice is safe: the same job is done once by the guest.
Outcome Configure(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  const auto input = InputOf(context.operation());
  if (!input.ok()) return OutcomeOf(input.status());
  mesh::v1::ServerSettings settings = ServerSettingsOf(*target);
  if (!context.undoing()) *settings.mutable_parameters() = input->attach().parameters();
  const auto make = [&] {
    return ConfigureOf(settings, /*may_restart=*/false);
  };
  auto driven = context.undoing() ? UndoByJob(parts, context, *target, kConfigureTime, make)
                                  : RunJob(parts, context, *target, kConfigureTime, make, kHelp);
  const auto* report = std::get_if<mesh::v1::JobReport>(&driven);
  if (report == nullptr) return std::get<Outcome>(std::move(driven));
  context.SetFact(kRestartFact, report->restart_required() ? "yes" : "no");
  return Done{};
}

Outcome Finish(const WorkflowParts&, StepContext& context) {
  const auto input = InputOf(context.operation());
  if (!input.ok()) return OutcomeOf(input.status());
  SetConfiguration group;
  if (!input->attach().configuration_id().empty())
    group.configuration_id = ConfigurationId(input->attach().configuration_id());
  if (context.Fact(kRestartFact) != "yes")
    return Done{Effects(std::move(group), SetTask{TaskStatus::kNone})};
  return Done{Effects(std::move(group),
                      SetTask{TaskStatus::kRestartRequired},
                      SetService{ServiceStatus::kRestartRequired})};
}

Workflow ConfigurationWorkflow(const WorkflowParts& parts, std::string kind) {
  Workflow workflow;
  workflow.kind = std::move(kind);
  workflow.deadline = absl::Minutes(8);
  workflow.help = kHelp;
  workflow.on_failed = EndTask();
  workflow.on_cancelled = EndTaskCancelled;
  workflow.steps = {
      {.name = "configure",
       .run = With(parts, Configure),
       .undo = With(parts, Configure),
       .limit = absl::Minutes(6),
       .attempts = 3},
      SayStep("finish", With(parts, Finish)),
  };
  return workflow;
}

}  // namespace

Workflow AttachConfigurationWorkflow(const WorkflowParts& parts) {
  return ConfigurationWorkflow(parts, "instance.attach");
}

Workflow DetachConfigurationWorkflow(const WorkflowParts& parts) {
  return ConfigurationWorkflow(parts, "instance.detach");
}

}  // namespace trove::taskmanager
