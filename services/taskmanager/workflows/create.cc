#include <string>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/keys.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/guest_steps.h"
#include "services/taskmanager/workflows/insist.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/server_settings.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPrepareTime = absl::Minutes(5);

// Twice is safe: a guest keeps the place it was given, and the same place is stored again.
Outcome Place(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  if (!target->guest.placement.empty() && target->endpoint.port != 0) return Done{};
  const auto place =
      parts.provisioner.Place(context.call(), RefOf(target->guest, context.generation()));
  if (!place.ok()) return OutcomeOf(place.status());
  return Done{Effects(PlaceGuest{place->placement, place->control_endpoint, place->uid},
                      AssignEndpoint{place->address, place->port})};
}

// Twice is safe: a volume that exists is left as it is.
Outcome MakeVolume(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  const absl::Status made =
      parts.provisioner.EnsureVolume(context.call(), VolumeSpecOf(*target, context.generation()));
  if (!made.ok()) return OutcomeOf(made);
  return Done{Effects(SetVolumeState{VolumeState::kReady})};
}

// Twice is safe: it is the same token and a guest that runs is adopted.
Outcome StartGuest(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  const absl::Status started = EnsureGuest(parts, context, *target);
  if (!started.ok()) return OutcomeOf(started);
  return Done{};
}

// The job of a create: what was asked for, with each password sealed anew, from the master key's
// custody to the guest's own key.
absl::StatusOr<mesh::v1::Job> PrepareJobOf(const identity::MasterKey& master_key,
                                           const Operation& operation,
                                           const OperationTarget& target) {
  TROVE_ASSIGN_OR_RETURN(const mesh::v1::OperationInput input, InputOf(operation));
  TROVE_ASSIGN_OR_RETURN(
      const identity::PublicKey guest_key,
      identity::PublicKey::FromRaw(identity::KeyKind::kX25519, target.guest.sealing_public_key));
  mesh::v1::Job job;
  mesh::v1::PrepareJob& prepare = *job.mutable_prepare();
  *prepare.mutable_settings() = ServerSettingsOf(target);
  *prepare.mutable_settings()->mutable_parameters() = input.create().parameters();
  for (const mesh::v1::RequestedDatabase& requested : input.create().databases()) {
    mesh::v1::GuestDatabase& database = *prepare.add_databases();
    database.set_name(requested.name());
    database.set_character_set(requested.character_set());
    database.set_collation(requested.collation());
  }
  for (const mesh::v1::RequestedUser& requested : input.create().users()) {
    mesh::v1::GuestUser& user = *prepare.add_users();
    user.set_name(requested.name());
    user.set_host(requested.host().empty() ? "%" : requested.host());
    *user.mutable_databases() = requested.databases();
    const auto password = master_key.Unseal(requested.password().box(), operation.id.value());
    if (!password.ok())
      return Annotate(password.status(), "open the password of user " + requested.name());
    TROVE_ASSIGN_OR_RETURN(*user.mutable_password()->mutable_box(),
                           identity::SealTo(guest_key, *password, target.guest.id.value()));
  }
  return job;
}

// Twice is safe: the same job is done once by the guest.
Outcome Prepare(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  auto driven = RunJob(parts, context, *target, kPrepareTime, [&] {
    return PrepareJobOf(parts.master_key, context.operation(), *target);
  });
  const auto* report = std::get_if<mesh::v1::JobReport>(&driven);
  if (report == nullptr) return std::get<Outcome>(std::move(driven));
  // The passwords have reached the one who needs them: from here on nobody else has them.
  std::vector<Effect> effects = ServerAsReported(*report);
  effects.emplace_back(EraseInput{});
  return Done{std::move(effects)};
}

// The undo of each step takes everything away that may be there by then, and lays the guest's
// tombstone first of all. Twice is safe: what is gone is gone.

Outcome UndoGuest(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  return Insist(
      parts.provisioner.Remove(context.call(), RefOf(target->guest, context.generation())));
}

Outcome UndoVolume(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  const GuestRef guest = RefOf(target->guest, context.generation());
  absl::Status removed = parts.provisioner.Remove(context.call(), guest);
  if (removed.ok())
    removed = parts.provisioner.RemoveVolume(context.call(), guest, target->volume.id);
  return Insist(removed, Effects(SetVolumeState{VolumeState::kRemoved}));
}

Outcome UndoPlace(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return Insist(target.status());
  const GuestRef guest = RefOf(target->guest, context.generation());
  absl::Status released = parts.provisioner.Remove(context.call(), guest);
  if (released.ok())
    released =
        parts.provisioner.Release(context.call(), guest, PlaceOf(target->guest, target->endpoint));
  return Insist(released);
}

std::vector<Effect> ShowFailure(const Failure& failure) {
  // Trove's own words for what went wrong in which part of a build.
  if (failure.timed_out || failure.step == "connect")
    return Effects(SetTask{TaskStatus::kBuildingErrorTimeoutGuest},
                   SetService{ServiceStatus::kFailedTimeoutGuestAgent});
  if (failure.step == "place") return Effects(SetTask{TaskStatus::kBuildingErrorPort});
  if (failure.step == "volume") return Effects(SetTask{TaskStatus::kBuildingErrorVolume});
  return Effects(SetTask{TaskStatus::kBuildingErrorServer}, SetService{ServiceStatus::kFailed});
}

}  // namespace

Workflow CreateInstanceWorkflow(const WorkflowParts& parts) {
  Workflow create;
  create.kind = "instance.create";
  create.deadline = parts.create_deadline;
  create.help =
      "Retry the operation, or delete the instance and create it again. Until then its files stay "
      "as they are.";
  // What was made is kept for a look at it, and for a retry; a cancel leaves nothing.
  create.undo_on_failure = false;
  create.on_failed = ShowFailure;
  create.on_cancelled = [] {
    return Effects(BuryInstance{});
  };
  create.steps = {
      {.name = "place",
       .run = With(parts, Place),
       .undo = With(parts, UndoPlace),
       .limit = absl::Minutes(1)},
      // A first template takes as long as the server's own installation.
      {.name = "volume",
       .run = With(parts, MakeVolume),
       .undo = With(parts, UndoVolume),
       .limit = absl::Minutes(5),
       .run_limit = absl::Minutes(3),
       .attempts = 5,
       .repeats_late = true},
      {.name = "guest",
       .run = With(parts, StartGuest),
       .undo = With(parts, UndoGuest),
       .limit = absl::Minutes(3),
       .run_limit = absl::Minutes(1),
       .repeats_late = true},
      {.name = "connect",
       .run = With(parts, AwaitGuest),
       .limit = absl::Minutes(3),
       .repeats_late = true},
      {.name = "prepare", .run = With(parts, Prepare), .limit = absl::Minutes(9), .attempts = 3},
      SayStep("finish",
              [](StepContext&) -> Outcome { return Done{Effects(SetTask{TaskStatus::kNone})}; }),
  };
  return create;
}

}  // namespace trove::taskmanager
