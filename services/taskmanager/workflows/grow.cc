#include <utility>

#include "libtrove/base/status_macros.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/guest_steps.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/server_settings.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kConfigureTime = absl::Minutes(1);

// What the operation acts on, with the size that the volume gets. The store has the old one until
// the last step.
absl::StatusOr<OperationTarget> GrownTarget(const WorkflowParts& parts, StepContext& context) {
  TROVE_ASSIGN_OR_RETURN(OperationTarget target, LocalTarget(parts, context));
  TROVE_ASSIGN_OR_RETURN(const mesh::v1::OperationInput input, InputOf(context.operation()));
  target.volume.size_gib = input.grow().size_gib();
  return target;
}

// Twice is safe: the volume is as large as it is.
Outcome GrowVolume(const WorkflowParts& parts, StepContext& context) {
  const auto target = GrownTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  const absl::Status grown =
      parts.provisioner.EnsureVolume(context.call(), VolumeSpecOf(*target, context.generation()));
  if (!grown.ok()) return OutcomeOf(grown);
  return Done{};
}

// The server first, then the agent, whose own settings say how large the volume is: it is started
// anew for them. Twice is safe: the same job is done once by the guest, and an agent that has these
// settings is left as it is.
Outcome TellGuest(const WorkflowParts& parts, StepContext& context) {
  const auto grown = GrownTarget(parts, context);
  if (!grown.ok()) return OutcomeOf(grown.status());
  // Until the job is done, the agent that does it stays.
  const auto before = LocalTarget(parts, context);
  if (!before.ok()) return OutcomeOf(before.status());
  auto driven = RunJob(parts, context, *before, kConfigureTime, [&] {
    return ConfigureOf(ServerSettingsOf(*grown), /*may_restart=*/false);
  });
  if (std::holds_alternative<Outcome>(driven)) return std::get<Outcome>(std::move(driven));
  const absl::Status ensured = EnsureGuest(parts, context, *grown);
  if (!ensured.ok()) return OutcomeOf(ensured);
  return Done{};
}

Outcome Finish(const WorkflowParts&, StepContext& context) {
  const auto input = InputOf(context.operation());
  if (!input.ok()) return OutcomeOf(input.status());
  const int size_gib = input->grow().size_gib();
  return Done{Effects(SetVolumeSize{size_gib},
                      SetCharge{QuotaResource::kVolumes, size_gib},
                      SetTask{TaskStatus::kNone})};
}

}  // namespace

Workflow GrowVolumeWorkflow(const WorkflowParts& parts) {
  Workflow grow;
  grow.kind = "instance.grow";
  grow.deadline = absl::Minutes(15);
  grow.help = "The data is as it was. Retry the operation: what is done already is not done again.";
  grow.on_failed = EndTask();
  grow.on_cancelled = EndTaskCancelled;
  grow.steps = {
      {.name = "volume", .run = With(parts, GrowVolume), .point_of_no_return = true},
      {.name = "guest", .run = With(parts, TellGuest), .limit = absl::Minutes(8), .attempts = 5},
      SayStep("finish", With(parts, Finish)),
  };
  return grow;
}

}  // namespace trove::taskmanager
