#include <algorithm>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/guest_steps.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/server_settings.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

// Trove's own limit for a server to come back with another size.
constexpr absl::Duration kConfigureTime = absl::Minutes(5);

constexpr char kHelp[] =
    "The instance has its old flavor. Mend what the error names, and resize it again.";

// The instance has its old flavor in the store until the last step.
absl::StatusOr<Flavor> NewFlavor(const Operation& operation) {
  TROVE_ASSIGN_OR_RETURN(const mesh::v1::OperationInput input, InputOf(operation));
  const mesh::v1::RequestedFlavor& wanted = input.resize().flavor();
  Flavor flavor;
  flavor.id = FlavorId(wanted.id());
  flavor.ram_mib = wanted.ram_mib();
  flavor.vcpus = wanted.vcpus();
  return flavor;
}

// While the server changes from one size to the other, it may be of either.
Flavor Larger(const Flavor& one, const Flavor& other) {
  Flavor larger = one;
  larger.ram_mib = std::max(one.ram_mib, other.ram_mib);
  larger.vcpus = std::max(one.vcpus, other.vcpus);
  return larger;
}

absl::StatusOr<OperationTarget> TargetWith(const WorkflowParts& parts,
                                           StepContext& context,
                                           Flavor (*choose)(const Flavor&, const Flavor&)) {
  TROVE_ASSIGN_OR_RETURN(OperationTarget target, LocalTarget(parts, context));
  TROVE_ASSIGN_OR_RETURN(const Flavor wanted, NewFlavor(context.operation()));
  target.flavor = choose(target.flavor, wanted);
  return target;
}

Flavor Old(const Flavor& old, const Flavor& /*wanted*/) {
  return old;
}

Flavor New(const Flavor& /*old*/, const Flavor& wanted) {
  return wanted;
}

// Twice is safe: the limits are set to what they are.
Outcome SetLimits(const WorkflowParts& parts,
                  StepContext& context,
                  Flavor (*choose)(const Flavor&, const Flavor&)) {
  const auto target = TargetWith(parts, context, choose);
  if (!target.ok()) return OutcomeOf(target.status());
  absl::Status set = parts.provisioner.Resize(
      context.call(), RefOf(target->guest, context.generation()), target->flavor);
  // A host that has lost the guest makes it anew, with these limits.
  if (absl::IsNotFound(set)) set = EnsureGuest(parts, context, *target);
  if (!set.ok()) return OutcomeOf(set);
  return Done{};
}

Outcome Widen(const WorkflowParts& parts, StepContext& context) {
  return SetLimits(parts, context, Larger);
}

Outcome SetNewLimits(const WorkflowParts& parts, StepContext& context) {
  return SetLimits(parts, context, New);
}

Outcome SetOldLimits(const WorkflowParts& parts, StepContext& context) {
  return SetLimits(parts, context, Old);
}

// The settings are the new or the old flavor's; meanwhile the limits stay wide. Twice is safe: the
// same job is done once by the guest.
Outcome Configure(const WorkflowParts& parts, StepContext& context) {
  const auto target = TargetWith(parts, context, Larger);
  if (!target.ok()) return OutcomeOf(target.status());
  const auto settled =
      context.undoing() ? LocalTarget(parts, context) : TargetWith(parts, context, New);
  if (!settled.ok()) return OutcomeOf(settled.status());
  const auto make = [&] {
    return ConfigureOf(ServerSettingsOf(*settled), /*may_restart=*/true);
  };
  auto driven = context.undoing() ? UndoByJob(parts, context, *target, kConfigureTime, make)
                                  : RunJob(parts, context, *target, kConfigureTime, make, kHelp);
  if (const auto* report = std::get_if<mesh::v1::JobReport>(&driven))
    return Done{ServerAsReported(*report)};
  return std::get<Outcome>(std::move(driven));
}

Outcome Finish(const WorkflowParts&, StepContext& context) {
  const auto flavor = NewFlavor(context.operation());
  if (!flavor.ok()) return OutcomeOf(flavor.status());
  return Done{Effects(SetFlavor{flavor->id},
                      SetCharge{QuotaResource::kRam, flavor->ram_mib},
                      SetTask{TaskStatus::kNone})};
}

}  // namespace

Workflow ResizeInstanceWorkflow(const WorkflowParts& parts) {
  Workflow resize;
  resize.kind = "instance.resize";
  resize.deadline = absl::Minutes(15);
  resize.help = kHelp;
  resize.on_failed = EndTask(TaskStatus::kGrowingError);
  resize.on_cancelled = EndTaskCancelled;
  resize.steps = {
      {.name = "widen", .run = With(parts, Widen), .undo = With(parts, SetOldLimits)},
      {.name = "configure",
       .run = With(parts, Configure),
       // The guest puts the old settings back itself when the server does not come up; this makes
       // sure of it.
       .undo = With(parts, Configure),
       .limit = absl::Minutes(7),
       .attempts = 2,
       .undo_limit = absl::Minutes(10)},
      {.name = "limits", .run = With(parts, SetNewLimits), .undo = With(parts, Widen)},
      SayStep("finish", With(parts, Finish)),
  };
  return resize;
}

}  // namespace trove::taskmanager
