#include <utility>

#include "libtrove/base/status.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/insist.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

// A delete leaves nothing behind, so it does not give up while there is hope that a person mends
// the host.
constexpr absl::Duration kPatience = absl::Hours(24);
constexpr int kAttempts = 1 << 20;  // the time is the limit
constexpr BackoffPolicy kBackoff = {absl::Milliseconds(200), absl::Minutes(1)};

// How long a server may take to stop in order. It is about to be removed: after that, by force.
constexpr absl::Duration kGrace = absl::Seconds(10);

// Twice is safe: a guest that is not there is stopped. And whatever comes of it: the next step does
// it by force.
Outcome Stop(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  const absl::Status stopped = parts.provisioner.Stop(context.call().Within(kGrace),
                                                      RefOf(target->guest, context.generation()));
  if (!stopped.ok()) context.log().Info("a guest did not stop in order", {{"error", stopped}});
  return Done{};
}

// Twice is safe: what is gone is gone.
Outcome RemoveGuest(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  return Insist(
      parts.provisioner.Remove(context.call(), RefOf(target->guest, context.generation())));
}

// Its snapshots go with it. Twice is safe: what is gone is gone.
Outcome RemoveVolume(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  return Insist(parts.provisioner.RemoveVolume(
                    context.call(), RefOf(target->guest, context.generation()), target->volume.id),
                Effects(SetVolumeState{VolumeState::kRemoved}));
}

// Twice is safe: a claim that is somebody else's by now is left to them.
Outcome Release(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  return Insist(parts.provisioner.Release(context.call(),
                                          RefOf(target->guest, context.generation()),
                                          PlaceOf(target->guest, target->endpoint)));
}

}  // namespace

Workflow DeleteInstanceWorkflow(const WorkflowParts& parts) {
  const auto step = [&parts](std::string name,
                             Outcome (*function)(const WorkflowParts&, StepContext&)) {
    Step made;
    made.name = std::move(name);
    made.run = [parts, function](StepContext& context) {
      return function(parts, context);
    };
    made.limit = kPatience;
    made.attempts = kAttempts;
    made.backoff = kBackoff;
    made.repeats_late = true;  // whatever is gone stays gone
    return made;
  };
  Step bury;
  bury.name = "bury";
  bury.run = [](StepContext&) -> Outcome {
    return Done{Effects(BuryInstance{})};
  };
  bury.limit = kPatience;
  bury.attempts = kAttempts;
  bury.backoff = kBackoff;
  bury.only_effects = true;

  Workflow gone;
  gone.kind = "instance.delete";
  gone.deadline = kPatience;
  gone.cancellable = false;
  gone.help = "Mend what the error names, then delete the instance again.";
  gone.steps = {step("stop", Stop),
                step("guest", RemoveGuest),
                step("volume", RemoveVolume),
                step("release", Release),
                std::move(bury)};
  return gone;
}

}  // namespace trove::taskmanager
