#include "services/taskmanager/reconciler.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/model/instance_state.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/pause.h"
#include "services/taskmanager/workflow.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kAskAgain = absl::Seconds(5);
constexpr absl::Duration kLookTime = absl::Minutes(10);

// Faults that a look shows, and clears when it finds that they are no more.
constexpr char kVolumeMissing[] = "The data volume is missing on its host.";
constexpr char kCannotRun[] = "The guest's processes are gone and cannot be started.";
constexpr char kAbandoned[] = "What was being done to the instance was given up.";

bool IsHeldByOperation(const InstanceView& view) {
  return view.operation && !IsEnded(view.operation->state);
}

bool HasFault(const InstanceView& view, const char* message) {
  return view.instance.fault && view.instance.fault->message == message;
}

// Something is being done to it, says its task.
bool IsBusy(TaskStatus task) {
  return task != TaskStatus::kNone && task != TaskStatus::kRestartRequired && !IsErrorTask(task);
}

// One that was never built stays as it is, for a look at it.
bool WasBuilt(TaskStatus task) {
  switch (task) {
    case TaskStatus::kBuildingErrorServer:
    case TaskStatus::kBuildingErrorVolume:
    case TaskStatus::kBuildingErrorReplica:
    case TaskStatus::kBuildingErrorTimeoutGuest:
    case TaskStatus::kBuildingErrorPort:
      return false;
    default:
      return true;
  }
}

}  // namespace

absl::Status ReclaimPlaces(const Call& call, Store& store, Provisioner& provisioner) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Guest> guests,
                         store.ListGuests(call, provisioner.placement_prefix()));
  for (const Guest& guest : guests) {
    const auto view = store.GetInstance(call, std::nullopt, guest.instance_id);
    if (absl::IsNotFound(view.status())) continue;
    TROVE_RETURN_IF_ERROR(view.status());
    if (!view->endpoint) continue;
    const absl::Status claimed =
        provisioner.Reclaim(call, RefOf(guest, guest.generation), PlaceOf(guest, *view->endpoint));
    // A delete that is nearly done has given them back, and its tombstone says so.
    if (!claimed.ok() && !absl::IsAborted(claimed))
      Log().Error("a guest's port or user is taken by somebody else on this host",
                  {{"guest", guest.id.value()}, {"error", claimed}});
  }
  return absl::OkStatus();
}

struct Reconciler::Notices {
  Mutex mutex;
  CondVar changed;
  bool look_now TROVE_GUARDED_BY(mutex) = false;
};

struct Reconciler::Look {
  absl::Time now;
  std::map<GuestId, ObservedGuest> on_host;  ///< what is left at the end the store does not know
  std::set<VolumeId> volumes;                ///< likewise
  std::set<VolumeId> present;                ///< all of them
  std::vector<Flavor> flavors;
  std::map<GuestId, Seen> before;
  std::map<GuestId, Seen> seen;
  Report report;
};

Reconciler::Reconciler(Store& store, Provisioner& provisioner, WorkerLease& worker, Options options)
    : store_(store),
      provisioner_(provisioner),
      worker_(worker),
      options_(std::move(options)),
      notices_(std::make_shared<Notices>()) {}

Reconciler::~Reconciler() {
  Stop();
}

void Reconciler::Start() {
  provisioner_.OnGuestEnded([notices = notices_](const GuestId&) {
    const MutexLock lock(notices->mutex);
    notices->look_now = true;
    notices->changed.NotifyAll();
  });
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void Reconciler::Stop() {
  if (!thread_.joinable()) return;
  provisioner_.OnGuestEnded(nullptr);
  thread_.request_stop();
  thread_.join();
}

void Reconciler::Run(const std::stop_token& stop) {
  const std::string lease = "reconcile:" + provisioner_.placement_prefix();
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(notices_->mutex);
    notices_->changed.NotifyAll();
  });
  bool noticed = false;
  while (!stop.stop_requested()) {
    const std::shared_ptr<const WorkerTerm> term = worker_.Current();
    if (term == nullptr) {
      Pause(stop, absl::Milliseconds(50));
      continue;
    }
    const Call call = CallFor(kLookTime, stop, "reconcile");
    const auto held =
        store_.HoldLease(call.Within(absl::Seconds(5)), lease, term->id, options_.every * 2);
    const bool ours = held.ok() && *held;
    // Only this process has heard of the death of a keeper that it watches.
    if (ours || noticed) {
      const auto report = ReconcileOnce(call);
      if (!report.ok() && !stop.stop_requested())
        log_.Warning("cannot compare the store with the host", {{"error", report.status()}});
    }
    Pause(stop, options_.at_least);
    // Whoever has the lease may be this host's dead one: it ends soon.
    const absl::Duration wait = ours ? options_.every : std::min(options_.every, kAskAgain);
    const MutexLock lock(notices_->mutex);
    notices_->changed.WaitUntil(
        notices_->mutex, absl::Now() + wait, [&]() TROVE_REQUIRES(notices_->mutex) {
          return notices_->look_now || stop.stop_requested();
        });
    noticed = std::exchange(notices_->look_now, false);
  }
}

absl::StatusOr<Reconciler::Report> Reconciler::ReconcileOnce(const Call& call) {
  Look look;
  look.now = absl::Now();
  // The host first: a guest is stored before it is made, so whatever the host has by then and the
  // store has not is not on its way in.
  TROVE_ASSIGN_OR_RETURN(const std::vector<ObservedGuest> on_host, provisioner_.List(call));
  TROVE_ASSIGN_OR_RETURN(const std::vector<VolumeId> volumes, provisioner_.ListVolumes(call));
  TROVE_ASSIGN_OR_RETURN(const std::vector<Guest> stored,
                         store_.ListGuests(call, provisioner_.placement_prefix()));
  TROVE_ASSIGN_OR_RETURN(look.flavors, store_.ListFlavors(call));
  for (const ObservedGuest& each : on_host)
    look.on_host.emplace(each.guest.guest_id, each);
  look.present = look.volumes = {volumes.begin(), volumes.end()};
  {
    const MutexLock lock(mutex_);
    look.before.swap(seen_);
  }
  for (const Guest& guest : stored) {
    TROVE_RETURN_IF_ERROR(call.Check());
    const absl::Status looked = LookAtGuest(call, guest, look);
    if (looked.ok()) continue;
    log_.Warning("a guest could not be reconciled",
                 {{"guest", guest.id.value()}, {"error", looked}});
    look.report.failures.push_back(guest.id.value() + ": " + MessageOf(looked));
  }
  {
    const MutexLock lock(mutex_);
    seen_ = std::move(look.seen);
  }
  TROVE_RETURN_IF_ERROR(RemoveStrangers(call, look));
  return std::move(look.report);
}

absl::Status Reconciler::LookAtGuest(const Call& call, const Guest& guest, Look& look) {
  const auto observed = look.on_host.find(guest.id);
  const GuestPresence presence =
      observed == look.on_host.end() ? GuestPresence::kGone : observed->second.presence;
  if (observed != look.on_host.end()) look.on_host.erase(observed);
  const auto view = store_.GetInstance(call, std::nullopt, guest.instance_id);
  if (absl::IsNotFound(view.status())) return absl::OkStatus();  // deleted just now
  TROVE_RETURN_IF_ERROR(view.status());
  if (view->volume_id) look.volumes.erase(*view->volume_id);
  look.seen[guest.id] = look.before[guest.id];
  if (IsHeldByOperation(*view)) return absl::OkStatus();
  if (IsBusy(view->instance.task)) {
    const bool building = view->instance.task == TaskStatus::kBuilding;
    if (view->instance.task == TaskStatus::kDeleting) {
      if (HasFault(*view, kAbandoned)) return absl::OkStatus();
      return Show(call, guest, Effects(SetFault{kAbandoned, "Delete the instance again."}), look);
    }
    return Show(call,
                guest,
                Effects(SetTask{building ? TaskStatus::kBuildingErrorServer : TaskStatus::kNone},
                        SetFault{kAbandoned, "No operation works on it any more."}),
                look);
  }
  if (!guest.enrolled_at || !view->volume_id) return absl::OkStatus();  // it never became one
  const bool has_volume = look.present.contains(*view->volume_id);
  if (HasFault(*view, kVolumeMissing)) {
    if (!has_volume) return absl::OkStatus();
    log_.Info("a data volume is back", {{"volume", view->volume_id->value()}});
    TROVE_RETURN_IF_ERROR(Show(call, guest, Effects(SetTask{TaskStatus::kNone}, SetFault{}), look));
    return EnsureAgain(call, guest, *view, true, look);
  }
  if (!WasBuilt(view->instance.task)) return absl::OkStatus();
  if (!has_volume) {
    log_.Error("a data volume is missing",
               {{"instance", guest.instance_id.value()}, {"volume", view->volume_id->value()}});
    return Show(
        call,
        guest,
        Effects(SetTask{TaskStatus::kBuildingErrorVolume},
                SetFault{kVolumeMissing,
                         "Volume " + view->volume_id->value() + " is not on " + guest.placement +
                             ". Nothing was made in its place: bring it back and the "
                             "instance returns, or delete the instance."}),
        look);
  }
  if (presence == GuestPresence::kGone) {
    return EnsureAgain(call, guest, *view, true, look);
  }
  if (presence != GuestPresence::kRunning) return absl::OkStatus();  // stopped on purpose
  if (!look.seen[guest.id].told) return EnsureAgain(call, guest, *view, false, look);
  return LookAtSilence(call, guest, *view, look);
}

absl::Status Reconciler::LookAtSilence(const Call& call,
                                       const Guest& guest,
                                       const InstanceView& view,
                                       Look& look) {
  Seen& seen = look.seen[guest.id];
  if (!view.instance.silent_since) {
    seen.unheard_since.reset();
    seen.agent_replaced.reset();
    return absl::OkStatus();
  }
  if (!seen.unheard_since) seen.unheard_since = look.now;
  if (look.now - *seen.unheard_since < options_.silent_for) return absl::OkStatus();
  if (seen.agent_replaced && look.now - *seen.agent_replaced < options_.silent_again)
    return absl::OkStatus();
  seen.agent_replaced = look.now;
  const absl::Status replaced =
      provisioner_.ReplaceAgent(call.Within(options_.guest_time), RefOf(guest, guest.generation));
  if (absl::IsAborted(replaced)) return absl::OkStatus();  // an operation has begun
  TROVE_RETURN_IF_ERROR(Annotate(replaced, "replace an agent that is not heard"));
  log_.Warning("an agent that was not heard was replaced", {{"guest", guest.id.value()}});
  ++look.report.agents;
  return absl::OkStatus();
}

absl::Status Reconciler::EnsureAgain(
    const Call& call, const Guest& guest, const InstanceView& view, bool gone, Look& look) {
  if (!view.endpoint) return absl::InternalError("the instance has no endpoint");
  const auto flavor =
      std::find_if(look.flavors.begin(), look.flavors.end(), [&](const Flavor& each) {
        return each.id == view.instance.flavor_id;
      });
  if (flavor == look.flavors.end())
    return absl::InternalError("the instance's flavor " + view.instance.flavor_id.value() +
                               " is unknown");
  GuestSpec spec;
  spec.guest = RefOf(guest, guest.generation);
  spec.volume_id = *view.volume_id;
  spec.volume_size_gib = view.instance.volume_size_gib;
  spec.version = view.version;
  spec.flavor = *flavor;
  spec.place = PlaceOf(guest, *view.endpoint);
  spec.mesh = options_.mesh;
  const absl::Status ensured = provisioner_.Ensure(call.Within(options_.guest_time), spec);
  // Losing the guest to an operation in between is no failure: that operation ensures it.
  if (absl::IsAborted(ensured)) return absl::OkStatus();
  if (!ensured.ok()) {
    look.seen[guest.id].told = false;
    if (!HasFault(view, kCannotRun)) {
      TROVE_RETURN_IF_ERROR(
          Show(call, guest, Effects(SetFault{kCannotRun, MessageOf(ensured)}), look));
    }
    return ensured;
  }
  look.seen[guest.id].told = true;
  if (HasFault(view, kCannotRun))
    TROVE_RETURN_IF_ERROR(Show(call, guest, Effects(SetFault{}), look));
  if (!gone) return absl::OkStatus();
  log_.Info("a guest whose processes were gone runs again", {{"guest", guest.id.value()}});
  ++look.report.ensured;
  return absl::OkStatus();
}

absl::Status Reconciler::Show(const Call& call,
                              const Guest& guest,
                              std::vector<Effect> effects,
                              Look& look) const {
  const absl::Status shown =
      store_.RecordFinding(call, {guest.id, guest.generation, std::move(effects)});
  // An operation has begun since: it says what it meets.
  if (absl::IsAborted(shown)) return absl::OkStatus();
  TROVE_RETURN_IF_ERROR(shown);
  ++look.report.faults;
  return absl::OkStatus();
}

absl::Status Reconciler::RemoveStrangers(const Call& call, Look& look) {
  for (const auto& [id, stranger] : look.on_host) {
    TROVE_RETURN_IF_ERROR(call.Check());
    // ListGuests knows placed guests alone: one without a place is on its way in or out.
    const auto view = stranger.guest.instance_id.empty()
                          ? absl::StatusOr<InstanceView>(absl::NotFoundError(""))
                          : store_.GetInstance(call, std::nullopt, stranger.guest.instance_id);
    if (view.ok() && IsHeldByOperation(*view)) continue;
    if (!view.ok() && !absl::IsNotFound(view.status())) return view.status();
    const absl::Status removed =
        provisioner_.Remove(call.Within(options_.guest_time), stranger.guest);
    if (!removed.ok()) {
      log_.Warning("a guest that the store does not know cannot be removed",
                   {{"guest", id.value()}, {"error", removed}});
      look.report.failures.push_back(id.value() + ": " + MessageOf(removed));
      continue;
    }
    log_.Warning("removed a guest that the store does not know", {{"guest", id.value()}});
    ++look.report.removed;
  }
  TROVE_ASSIGN_OR_RETURN(look.report.swept, provisioner_.Sweep(call, [&](const GuestId& guest) {
    return store_.IsBuried(call, guest);
  }));
  for (const std::string& what : look.report.swept)
    log_.Info("removed what a crash had left", {{"what", what}});
  // Data that nobody accounts for may be all that is left of a lost store.
  look.report.unknown = {look.volumes.begin(), look.volumes.end()};
  for (const VolumeId& volume : look.report.unknown)
    log_.Error("a volume on this host belongs to no instance: keep it or remove it by hand",
               {{"volume", volume.value()}});
  return absl::OkStatus();
}

}  // namespace trove::taskmanager
