#include "services/taskmanager/reconciler.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/model/instance_state.h"
#include "services/taskmanager/guest_specs.h"
#include "services/taskmanager/pause.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kAskAgain = absl::Seconds(5);

bool IsHeldByOperation(const InstanceView& view) {
  return view.operation && !IsEnded(view.operation->state);
}

// A guest that never became one, or is on its way out, stays as it is for a look at it.
bool ShouldRun(const Guest& guest, const InstanceView& view) {
  return guest.enrolled_at && !IsErrorTask(view.instance.task) &&
         view.instance.task != TaskStatus::kDeleting;
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

Reconciler::Reconciler(Store& store, Provisioner& provisioner, WorkerLease& worker, Options options)
    : store_(store), provisioner_(provisioner), worker_(worker), options_(std::move(options)) {}

Reconciler::~Reconciler() {
  Stop();
}

void Reconciler::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void Reconciler::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Reconciler::Run(const std::stop_token& stop) {
  const std::string lease = "reconcile:" + provisioner_.placement_prefix();
  while (!stop.stop_requested()) {
    const std::shared_ptr<const WorkerTerm> term = worker_.Current();
    if (term == nullptr) {
      Pause(stop, absl::Milliseconds(50));
      continue;
    }
    const Call call = CallFor(options_.every * 2, stop, "reconcile");
    const auto held =
        store_.HoldLease(call.Within(absl::Seconds(5)), lease, term->id, options_.every * 2);
    const bool ours = held.ok() && *held;
    if (ours) {
      const auto report = ReconcileOnce(call);
      if (!report.ok() && !stop.stop_requested())
        log_.Warning("cannot compare the store with the host", {{"error", report.status()}});
    }
    // Whoever has the lease may be this host's dead one: it ends soon.
    Pause(stop, ours ? options_.every : std::min(options_.every, kAskAgain));
  }
}

absl::StatusOr<Reconciler::Report> Reconciler::ReconcileOnce(const Call& call) {
  // The host first: a guest is stored before it is made, so whatever the host has by then and the
  // store has not is not on its way in.
  TROVE_ASSIGN_OR_RETURN(const std::vector<ObservedGuest> on_host, provisioner_.List(call));
  TROVE_ASSIGN_OR_RETURN(const std::vector<Guest> stored,
                         store_.ListGuests(call, provisioner_.placement_prefix()));
  TROVE_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, store_.ListFlavors(call));

  Report report;
  std::map<GuestId, const ObservedGuest*> observed;
  for (const ObservedGuest& each : on_host)
    observed[each.guest.guest_id] = &each;
  const auto failed = [&](const GuestId& guest, const absl::Status& error) {
    log_.Warning("a guest could not be reconciled", {{"guest", guest.value()}, {"error", error}});
    report.failures.push_back(guest.value() + ": " + MessageOf(error));
  };

  std::set<GuestId> told_before;
  {
    const MutexLock lock(mutex_);
    told_before.swap(told_);
  }
  std::set<GuestId> told;
  for (const Guest& guest : stored) {
    TROVE_RETURN_IF_ERROR(call.Check());
    const auto seen = observed.find(guest.id);
    const bool gone = seen == observed.end() || seen->second->presence == GuestPresence::kGone;
    if (seen != observed.end()) observed.erase(seen);
    const bool is_told = told_before.contains(guest.id);
    if (is_told) told.insert(guest.id);
    if (!gone && is_told) continue;
    const auto ensured = EnsureAgain(call, guest, flavors);
    if (!ensured.ok()) {
      failed(guest.id, ensured.status());
      continue;
    }
    if (*ensured) told.insert(guest.id);
    if (*ensured && gone) {
      log_.Info("a guest whose processes were gone runs again", {{"guest", guest.id.value()}});
      ++report.ensured;
    }
  }
  {
    const MutexLock lock(mutex_);
    told_ = std::move(told);
  }
  for (const auto& [id, stranger] : observed) {
    TROVE_RETURN_IF_ERROR(call.Check());
    // ListGuests knows placed guests alone: one without a place is on its way in or out.
    const auto view = stranger->guest.instance_id.empty()
                          ? absl::StatusOr<InstanceView>(absl::NotFoundError(""))
                          : store_.GetInstance(call, std::nullopt, stranger->guest.instance_id);
    if (view.ok() && IsHeldByOperation(*view)) continue;
    if (!view.ok() && !absl::IsNotFound(view.status())) return view.status();
    const absl::Status removed =
        provisioner_.Remove(call.Within(options_.guest_time), stranger->guest);
    if (!removed.ok()) {
      failed(id, removed);
      continue;
    }
    log_.Warning("removed a guest that the store does not know", {{"guest", id.value()}});
    ++report.removed;
  }
  return report;
}

absl::StatusOr<bool> Reconciler::EnsureAgain(const Call& call,
                                             const Guest& guest,
                                             const std::vector<Flavor>& flavors) {
  const auto view = store_.GetInstance(call, std::nullopt, guest.instance_id);
  if (absl::IsNotFound(view.status())) return false;
  TROVE_RETURN_IF_ERROR(view.status());
  if (IsHeldByOperation(*view) || !ShouldRun(guest, *view)) return false;
  if (!view->endpoint || !view->volume_id)
    return absl::InternalError("the instance has no endpoint or no volume");
  const auto flavor = std::find_if(flavors.begin(), flavors.end(), [&](const Flavor& each) {
    return each.id == view->instance.flavor_id;
  });
  if (flavor == flavors.end())
    return absl::InternalError("the instance's flavor " + view->instance.flavor_id.value() +
                               " is unknown");
  GuestSpec spec;
  spec.guest = RefOf(guest, guest.generation);
  spec.volume_id = *view->volume_id;
  spec.volume_size_gib = view->instance.volume_size_gib;
  spec.version = view->version;
  spec.flavor = *flavor;
  spec.place = PlaceOf(guest, *view->endpoint);
  spec.mesh = options_.mesh;
  // Losing the guest to an operation in between is no failure: that operation ensures it.
  const absl::Status ensured = provisioner_.Ensure(call.Within(options_.guest_time), spec);
  if (absl::IsAborted(ensured)) return false;
  TROVE_RETURN_IF_ERROR(ensured);
  return true;
}

}  // namespace trove::taskmanager
