#include <string>
#include <utility>

#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/keys.h"
#include "libtrove/identity/token.h"
#include "services/taskmanager/enrolment.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/workflows/local_target.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kTokenLife = absl::Minutes(15);

// How often a guest that is not heard is made sure of again, while its step waits for it.
constexpr absl::Duration kLookAgain = absl::Seconds(5);

constexpr absl::Duration kPrepareTime = absl::Minutes(5);

constexpr char kTokenFact[] = "token_good_until";
constexpr char kGuestConnected[] = "guest.connected";

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

// Starts the guest, with a token as long as it has not enrolled. Twice is safe: it is the same
// token and a guest that runs is adopted.
absl::Status EnsureGuest(const WorkflowParts& parts, StepContext& context) {
  TROVE_ASSIGN_OR_RETURN(const OperationTarget target, LocalTarget(parts, context));
  GuestSpec spec = GuestSpecOf(target, context.generation(), parts.mesh);
  if (!target.guest.enrolled_at) {
    spec.enrolment_token =
        EnrolmentTokenOf(parts.master_key, context.operation().id, target.guest.id);
    TROVE_RETURN_IF_ERROR(SaveToken(context, spec.enrolment_token));
  }
  return parts.provisioner.Ensure(context.call(), spec);
}

Outcome StartGuest(const WorkflowParts& parts, StepContext& context) {
  const absl::Status started = EnsureGuest(parts, context);
  if (!started.ok()) return OutcomeOf(started);
  return Done{};
}

// Twice is safe: it looks, and makes sure of the guest again in case its host lost it.
Outcome AwaitGuest(const WorkflowParts& parts, StepContext& context) {
  const auto target = LocalTarget(parts, context);
  if (!target.ok()) return OutcomeOf(target.status());
  if (target->guest.incarnation > 0 || context.FindSignal(kGuestConnected) != nullptr) {
    context.Consume(kGuestConnected);
    return Done{};
  }
  const std::string why = target->guest.enrolled_at
                              ? "waits for the first heartbeat of the guest agent"
                              : "waits for the guest agent to enrol";
  // Not on the first look: the guest has just been started.
  if (context.operation().waiting_since) {
    const absl::Status still = EnsureGuest(parts, context);
    if (!still.ok()) return WaitFor{why + ": " + MessageOf(still), kGuestConnected, kLookAgain, {}};
  }
  return WaitFor{why, kGuestConnected, kLookAgain, {}};
}

// The job of a create: what was asked for, with each password sealed anew, from the master key's
// custody to the guest's own key.
absl::StatusOr<mesh::v1::Job> PrepareJobOf(const identity::MasterKey& master_key,
                                           const Operation& operation,
                                           const OperationTarget& target) {
  mesh::v1::OperationInput input;
  if (!input.ParseFromString(operation.input))
    return absl::InvalidArgumentError("the operation's input is unreadable");
  TROVE_ASSIGN_OR_RETURN(
      const identity::PublicKey guest_key,
      identity::PublicKey::FromRaw(identity::KeyKind::kX25519, target.guest.sealing_public_key));
  mesh::v1::Job job;
  mesh::v1::PrepareJob& prepare = *job.mutable_prepare();
  prepare.set_memory_mib(target.flavor.ram_mib);
  prepare.set_vcpus(target.flavor.vcpus);
  prepare.set_address(target.endpoint.address);
  prepare.set_port(target.endpoint.port);
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
  auto driven = parts.jobs.Drive(context, target->guest.id, kPrepareTime, [&] {
    return PrepareJobOf(parts.master_key, context.operation(), *target);
  });
  if (const auto* report = std::get_if<mesh::v1::JobReport>(&driven)) {
    // The passwords have reached the one who needs them: from here on nobody else has them.
    return Done{Effects(EraseInput{},
                        SetService{ServiceStatus::kHealthy},
                        SetRunningVersion{report->running_version()})};
  }
  Outcome& outcome = std::get<Outcome>(driven);
  auto* wait = std::get_if<WaitFor>(&outcome);
  if (wait != nullptr && context.operation().waiting_since) {
    const absl::Status still = EnsureGuest(parts, context);
    if (!still.ok()) wait->why += ": " + MessageOf(still);
  }
  return std::move(outcome);
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
  const auto with = [&parts](Outcome (*function)(const WorkflowParts&, StepContext&)) {
    return [parts, function](StepContext& context) {
      return function(parts, context);
    };
  };
  Workflow create;
  create.kind = "instance.create";
  create.deadline = parts.create_deadline;
  create.help = "Delete the instance and create it again. Until then its files stay as they are.";
  create.on_failed = ShowFailure;
  create.steps = {
      {.name = "place", .run = with(Place), .limit = absl::Minutes(1)},
      // A first template takes as long as the server's own installation.
      {.name = "volume",
       .run = with(MakeVolume),
       .limit = absl::Minutes(5),
       .run_limit = absl::Minutes(3),
       .attempts = 5},
      {.name = "guest",
       .run = with(StartGuest),
       .limit = absl::Minutes(3),
       .run_limit = absl::Minutes(1)},
      {.name = "connect", .run = with(AwaitGuest), .limit = absl::Minutes(3)},
      {.name = "prepare", .run = with(Prepare), .limit = absl::Minutes(9), .attempts = 3},
      {.name = "finish",
       .run = [](StepContext&) -> Outcome {
         return Done{Effects(SetTask{TaskStatus::kNone})};
       }},
  };
  return create;
}

}  // namespace trove::taskmanager
