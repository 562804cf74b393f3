#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/guest_steps.h"
#include "services/taskmanager/workflows/insist.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/server_settings.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kStopTime = absl::Minutes(3);
constexpr absl::Duration kStartTime = absl::Minutes(5);
// Trove's own limit for a new version to answer.
constexpr absl::Duration kUpgradeTime = absl::Minutes(10);

// One piece of a copy that takes longer: a thread is held for so long, and no longer.
constexpr absl::Duration kCopyPiece = absl::Seconds(10);
constexpr absl::Duration kBetweenPieces = absl::Milliseconds(100);
constexpr absl::Duration kCopyTime = absl::Hours(4);

// How long the guest may take to stop what it does, before its processes are ended.
constexpr absl::Duration kStopPatience = absl::Minutes(4);

constexpr int kDiscardAttempts = 4;

constexpr char kStoppedFact[] = "was_stopped";
constexpr char kCommittedFact[] = "upgrade_begun";  // since then the volume may be another
constexpr char kRevertedFact[] = "reverted";        // and since then it is the old one again
constexpr char kToldFact[] = "told_new";  // the guest may have the new version in its settings
constexpr char kStopSinceFact[] = "stop_since";

constexpr char kHelp[] =
    "The instance has its old version and its old data. Mend what the error names, and upgrade it "
    "again.";

// With the whole id: ids that are made within a minute begin alike, and what an earlier upgrade
// could not remove must not be taken for this one's.
std::string SnapshotName(const Operation& operation) {
  return "before-" + operation.id.value();
}

// The store has the old version until the last step.
absl::StatusOr<OperationTarget> UpgradedTarget(const WorkflowParts& parts, StepContext& context) {
  TROVE_ASSIGN_OR_RETURN(OperationTarget target, LocalTarget(parts, context));
  TROVE_ASSIGN_OR_RETURN(const mesh::v1::OperationInput input, InputOf(context.operation()));
  target.version.engine = input.upgrade().engine();
  target.version.number = input.upgrade().number();
  return target;
}

// Twice is safe: the same job is done once by the guest.
Outcome Stop(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  if (context.Fact(kStoppedFact).empty())
    context.SetFact(kStoppedFact,
                    target->instance.service == ServiceStatus::kShutdown ? "yes" : "no");
  auto driven = RunJob(parts, context, *target, kStopTime, StopOf, kHelp);
  if (std::holds_alternative<mesh::v1::JobReport>(driven)) return Done{};
  return std::get<Outcome>(std::move(driven));
}

// Starts the old server on the old data. One that has begun to be upgraded must be told its old
// version. Twice is safe: the same job is done once by the guest.
Outcome StartOld(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  const bool told_new = !context.Fact(kToldFact).empty();
  if (!told_new && context.Fact(kStoppedFact) == "yes") return Done{};
  auto driven = UndoByJob(parts, context, *target, told_new ? kUpgradeTime : kStartTime, [&] {
    return told_new ? UpgradeOf(ServerSettingsOf(*target)) : StartOf();
  });
  const auto* report = std::get_if<mesh::v1::JobReport>(&driven);
  if (report == nullptr) return std::get<Outcome>(std::move(driven));
  context.SetFact(kToldFact, "");
  return Done{ServerAsReported(*report)};
}

// Twice is safe: a finished snapshot is left as it is, and one that is not is gone on with.
Outcome Snapshot(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  const GuestRef guest = RefOf(target->guest, context.generation());
  const std::string name = SnapshotName(context.operation());
  if (!context.Fact(kRevertedFact).empty()) {
    // Begun again by a retry: a snapshot that stayed then does not have what was written since.
    absl::Status begun =
        parts.provisioner.RemoveSnapshot(context.call(), guest, target->volume.id, name);
    if (!begun.ok()) return OutcomeOf(begun);
    for (const char* fact : {kRevertedFact, kCommittedFact, kStopSinceFact})
      context.SetFact(fact, "");
    begun = context.Save({});
    if (!begun.ok()) return OutcomeOf(begun);
  }
  const absl::Status kept =
      parts.provisioner.SnapshotVolume(context.call(), guest, target->volume.id, name);
  if (kept.ok()) return Done{};
  // There is more to copy: no failure, and others have their turn in between.
  if (absl::IsDeadlineExceeded(kept)) return WaitFor{MessageOf(kept), "", kBetweenPieces, {}};
  if (absl::IsResourceExhausted(kept))
    return Fail{MessageOf(kept),
                "Make room on the host: an upgrade keeps a copy of the data until it is done."};
  return OutcomeOf(kept);
}

// Puts the data back, and removes what was kept. Nothing runs on it: the undo of what comes later
// has seen to that. Twice is safe: reverting again gives the same, and without a finished snapshot
// nothing has written to the volume.
Outcome Revert(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  const GuestRef guest = RefOf(target->guest, context.generation());
  const std::string name = SnapshotName(context.operation());
  // What no upgrade has touched need not be put back.
  if (!context.Fact(kCommittedFact).empty() && context.Fact(kRevertedFact).empty()) {
    const absl::Status reverted =
        parts.provisioner.RevertVolume(context.call(), guest, target->volume.id, name);
    if (absl::IsDeadlineExceeded(reverted))
      return WaitFor{MessageOf(reverted), "", kBetweenPieces, {}};
    if (!reverted.ok() && !absl::IsNotFound(reverted)) return Insist(reverted);
    context.SetFact(kRevertedFact, "yes");
    const absl::Status saved = context.Save({});
    if (!saved.ok()) return Insist(saved);
  }
  return Insist(parts.provisioner.RemoveSnapshot(context.call(), guest, target->volume.id, name));
}

// Twice is safe: the same job is done once by the guest.
Outcome Upgrade(const WorkflowParts& parts, StepContext& context) {
  const auto target = UpgradedTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  if (context.Fact(kCommittedFact).empty()) {
    // Before anything can have written to the volume.
    context.SetFact(kCommittedFact, "yes");
    context.SetFact(kToldFact, "yes");
    const absl::Status saved = context.Save({});
    if (!saved.ok()) return OutcomeOf(saved);
  }
  auto driven = RunJob(
      parts,
      context,
      *target,
      kUpgradeTime,
      [&] { return UpgradeOf(ServerSettingsOf(*target)); },
      kHelp);
  if (const auto* report = std::get_if<mesh::v1::JobReport>(&driven))
    return Done{ServerAsReported(*report)};
  return std::get<Outcome>(std::move(driven));
}

// Sees to it that nothing writes to the volume: by the guest, or by ending it when it does not
// answer. Twice is safe: what is stopped is stopped.
Outcome StopNew(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  absl::Time since;
  if (!absl::ParseTime(absl::RFC3339_full, context.Fact(kStopSinceFact), &since, nullptr)) {
    since = context.now();
    context.SetFact(kStopSinceFact, absl::FormatTime(since, absl::UTCTimeZone()));
  }
  if (context.now() - since < kStopPatience) {
    auto driven = UndoByJob(parts, context, *target, kStopTime, StopOf);
    if (std::holds_alternative<mesh::v1::JobReport>(driven)) return Done{};
    Outcome outcome = std::get<Outcome>(std::move(driven));
    if (auto* wait = std::get_if<WaitFor>(&outcome)) {
      wait->at_most = std::min(wait->at_most, since + kStopPatience - context.now());
      return outcome;
    }
    if (std::holds_alternative<RetryAfter>(outcome)) return outcome;
  }
  // Its files stay: the step before starts it again.
  return Insist(parts.provisioner.Stop(context.call(), RefOf(target->guest, context.generation())));
}

// Best effort: what is left goes with the volume. Twice is safe: what is gone is gone.
Outcome Discard(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  absl::Status removed = target.status();
  if (removed.ok())
    removed = parts.provisioner.RemoveSnapshot(context.call(),
                                               RefOf(target->guest, context.generation()),
                                               target->volume.id,
                                               SnapshotName(context.operation()));
  if (removed.ok()) return Done{};
  if (context.attempt() < kDiscardAttempts) return RetryAfter{MessageOf(removed), std::nullopt};
  context.log().Warning("a snapshot stays with its volume", {{"error", removed}});
  return Done{};
}

Outcome Finish(const WorkflowParts&, StepContext& context) {
  const auto input = InputOf(context.operation());
  if (!input.ok()) return OutcomeOf(input.status());
  return Done{
      Effects(SetVersion{VersionId(input->upgrade().version_id())}, SetTask{TaskStatus::kNone})};
}

}  // namespace

Workflow UpgradeInstanceWorkflow(const WorkflowParts& parts) {
  Workflow upgrade;
  upgrade.kind = "instance.upgrade";
  upgrade.deadline = kCopyTime + absl::Minutes(30);
  upgrade.help = kHelp;
  upgrade.on_failed = EndTask(TaskStatus::kUpgradingError);
  upgrade.on_cancelled = EndTaskCancelled;
  upgrade.steps = {
      {.name = "stop",
       .run = With(parts, Stop),
       .undo = With(parts, StartOld),
       .limit = absl::Minutes(5),
       .attempts = 3,
       .undo_limit = absl::Minutes(15)},
      {.name = "snapshot",
       .run = With(parts, Snapshot),
       .undo = With(parts, Revert),
       .limit = kCopyTime,
       .run_limit = kCopyPiece,
       .undo_limit = kCopyTime},
      {.name = "upgrade",
       .run = With(parts, Upgrade),
       .undo = With(parts, StopNew),
       .limit = absl::Minutes(12),
       .attempts = 2,
       .point_of_no_return = true,
       // The new server serves before we hear of it: to put the data back would lose what clients
       // have written by then.
       .not_cancelled = true,
       .undo_limit = absl::Minutes(10)},
      {.name = "discard",
       .run = With(parts, Discard),
       .limit = absl::Minutes(10),
       .attempts = kDiscardAttempts + 1},
      SayStep("finish", With(parts, Finish)),
  };
  return upgrade;
}

}  // namespace trove::taskmanager
