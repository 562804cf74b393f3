#include "test/support/noop_provisioner.h"

#include <algorithm>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "services/taskmanager/pause.h"

namespace trove::taskmanager {
namespace {

absl::Status Stale(const GuestRef& guest, const std::string& why) {
  return MakeError(Reason::kStaleOwner, "guest " + guest.guest_id.value() + ": " + why);
}

}  // namespace

void NoopProvisioner::SetWatcher(GuestWatcher* watcher) {
  const MutexLock lock(mutex_);
  watcher_ = watcher;
}

void NoopProvisioner::FailNext(const std::string& method, int times, absl::Status error) {
  const MutexLock lock(mutex_);
  faults_[method] = {times, std::move(error)};
}

void NoopProvisioner::SetDelay(const std::string& method, absl::Duration delay) {
  const MutexLock lock(mutex_);
  delays_[method] = delay;
}

void NoopProvisioner::KillProcesses(const GuestId& guest) {
  GuestWatcher* watcher = nullptr;
  {
    const MutexLock lock(mutex_);
    const auto known = guests_.find(guest);
    if (known == guests_.end() || known->second.presence != GuestPresence::kRunning) return;
    known->second.presence = GuestPresence::kGone;
    watcher = watcher_;
  }
  if (watcher != nullptr) watcher->OnStopped(guest);
}

void NoopProvisioner::Reboot() {
  for (const GuestId& guest : running())
    KillProcesses(guest);
  const MutexLock lock(mutex_);
  ports_.clear();
  port_of_.clear();
  next_port_ = 0;
}

void NoopProvisioner::AddStranger(const GuestRef& guest) {
  const MutexLock lock(mutex_);
  Known& known = guests_[guest.guest_id];
  known.ref = guest;
  known.made = true;
  known.presence = GuestPresence::kRunning;
}

int NoopProvisioner::calls(const std::string& method) const {
  const MutexLock lock(mutex_);
  const auto found = calls_.find(method);
  return found == calls_.end() ? 0 : found->second;
}

std::set<GuestId> NoopProvisioner::running() const {
  const MutexLock lock(mutex_);
  std::set<GuestId> ids;
  for (const auto& [id, known] : guests_)
    if (known.presence == GuestPresence::kRunning) ids.insert(id);
  return ids;
}

std::set<GuestId> NoopProvisioner::guests() const {
  const MutexLock lock(mutex_);
  std::set<GuestId> ids;
  for (const auto& [id, known] : guests_)
    if (known.made) ids.insert(id);
  return ids;
}

std::set<VolumeId> NoopProvisioner::volumes() const {
  const MutexLock lock(mutex_);
  std::set<VolumeId> ids;
  for (const auto& [id, guest] : volumes_)
    ids.insert(id);
  return ids;
}

std::map<int, GuestId> NoopProvisioner::ports() const {
  const MutexLock lock(mutex_);
  return ports_;
}

std::int64_t NoopProvisioner::generation(const GuestId& guest) const {
  const MutexLock lock(mutex_);
  const auto known = guests_.find(guest);
  return known == guests_.end() ? 0 : known->second.ref.generation;
}

absl::Status NoopProvisioner::Enter(const Call& call, const std::string& method) {
  TROVE_RETURN_IF_ERROR(call.Check());
  absl::Duration delay;
  {
    const MutexLock lock(mutex_);
    ++calls_[method];
    if (const auto found = delays_.find(method); found != delays_.end()) delay = found->second;
  }
  if (delay > absl::ZeroDuration()) {
    Pause(call.stop, std::min(delay, call.Remaining()));
    TROVE_RETURN_IF_ERROR(call.Check());
  }
  const MutexLock lock(mutex_);
  Fault& fault = faults_[method];
  if (fault.times <= 0) return absl::OkStatus();
  --fault.times;
  return fault.error;
}

absl::Status NoopProvisioner::Fence(const GuestRef& guest) {
  Known& known = guests_[guest.guest_id];
  if (guest.generation < known.ref.generation)
    return Stale(guest, "a higher generation has been seen");
  known.ref = guest;
  return absl::OkStatus();
}

absl::Status NoopProvisioner::RefuseRemoved(const GuestRef& guest) {
  const auto known = guests_.find(guest.guest_id);
  if (known != guests_.end() && known->second.removed)
    return Stale(guest, "it was removed for good");
  return absl::OkStatus();
}

absl::Status NoopProvisioner::PrepareTemplates(const Call& call,
                                               const std::vector<DatastoreVersion>&) {
  return Enter(call, "PrepareTemplates");
}

absl::StatusOr<GuestPlace> NoopProvisioner::Place(const Call& call, const GuestRef& guest) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Place"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(RefuseRemoved(guest));
  TROVE_RETURN_IF_ERROR(Fence(guest));
  int port = 0;
  if (const auto claimed = port_of_.find(guest.guest_id); claimed != port_of_.end()) {
    port = claimed->second;
  } else {
    for (int i = 0; i < options_.ports && port == 0; ++i) {
      const int candidate = options_.first_port + (next_port_ + i) % options_.ports;
      if (!ports_.contains(candidate)) port = candidate;
    }
    if (port == 0) return absl::ResourceExhaustedError("no free port is left on this host");
    next_port_ = port - options_.first_port + 1;
    ports_[port] = guest.guest_id;
    port_of_[guest.guest_id] = port;
  }
  return GuestPlace{options_.placement_prefix,
                    "unix:/noop/" + guest.guest_id.value() + "/agent.sock",
                    0,
                    options_.address,
                    port};
}

absl::Status NoopProvisioner::Reclaim(const Call& call,
                                      const GuestRef& guest,
                                      const GuestPlace& place) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Reclaim"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(RefuseRemoved(guest));
  const auto [claimed, fresh] = ports_.emplace(place.port, guest.guest_id);
  if (!fresh && claimed->second != guest.guest_id)
    return absl::AlreadyExistsError("port " + std::to_string(place.port) + " is taken");
  port_of_[guest.guest_id] = place.port;
  return absl::OkStatus();
}

absl::Status NoopProvisioner::Release(const Call& call,
                                      const GuestRef& guest,
                                      const GuestPlace& /*place*/) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Release"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(Fence(guest));
  if (const auto claimed = port_of_.find(guest.guest_id); claimed != port_of_.end()) {
    ports_.erase(claimed->second);
    port_of_.erase(claimed);
  }
  return absl::OkStatus();
}

absl::Status NoopProvisioner::EnsureVolume(const Call& call, const VolumeSpec& spec) {
  TROVE_RETURN_IF_ERROR(Enter(call, "EnsureVolume"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(RefuseRemoved(spec.guest));
  TROVE_RETURN_IF_ERROR(Fence(spec.guest));
  volumes_[spec.volume_id] = spec.guest.guest_id;
  return absl::OkStatus();
}

absl::Status NoopProvisioner::RemoveVolume(const Call& call,
                                           const GuestRef& guest,
                                           const VolumeId& volume) {
  TROVE_RETURN_IF_ERROR(Enter(call, "RemoveVolume"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(Fence(guest));
  if (guests_[guest.guest_id].made)
    return absl::FailedPreconditionError("the guest of this volume is still there");
  volumes_.erase(volume);
  return absl::OkStatus();
}

absl::Status NoopProvisioner::Ensure(const Call& call, const GuestSpec& spec) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Ensure"));
  GuestWatcher* watcher = nullptr;
  {
    const MutexLock lock(mutex_);
    TROVE_RETURN_IF_ERROR(RefuseRemoved(spec.guest));
    TROVE_RETURN_IF_ERROR(Fence(spec.guest));
    if (!volumes_.contains(spec.volume_id))
      return absl::FailedPreconditionError("volume " + spec.volume_id.value() + " is missing");
    Known& known = guests_[spec.guest.guest_id];
    known.made = true;
    known.spec = spec;
    const bool adopted = known.presence == GuestPresence::kRunning;
    known.presence = GuestPresence::kRunning;
    if (!adopted) watcher = watcher_;
  }
  if (watcher != nullptr) watcher->OnStarted(spec);
  return absl::OkStatus();
}

absl::Status NoopProvisioner::Stop(const Call& call, const GuestRef& guest) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Stop"));
  GuestWatcher* watcher = nullptr;
  {
    const MutexLock lock(mutex_);
    TROVE_RETURN_IF_ERROR(Fence(guest));
    Known& known = guests_[guest.guest_id];
    if (known.presence == GuestPresence::kRunning) watcher = watcher_;
    known.presence = GuestPresence::kStopped;
  }
  if (watcher != nullptr) watcher->OnStopped(guest.guest_id);
  return absl::OkStatus();
}

absl::Status NoopProvisioner::Start(const Call& call, const GuestRef& guest) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Start"));
  GuestSpec spec;
  {
    const MutexLock lock(mutex_);
    TROVE_RETURN_IF_ERROR(RefuseRemoved(guest));
    TROVE_RETURN_IF_ERROR(Fence(guest));
    const Known& known = guests_[guest.guest_id];
    if (!known.made) return absl::NotFoundError("no such guest here");
    spec = known.spec;
    spec.guest = guest;
  }
  return Ensure(call, spec);
}

absl::Status NoopProvisioner::Resize(const Call& call,
                                     const GuestRef& guest,
                                     const Flavor& flavor) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Resize"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(Fence(guest));
  Known& known = guests_[guest.guest_id];
  if (!known.made) return absl::NotFoundError("no such guest here");
  known.spec.flavor = flavor;
  return absl::OkStatus();
}

absl::Status NoopProvisioner::Remove(const Call& call, const GuestRef& guest) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Remove"));
  GuestWatcher* watcher = nullptr;
  {
    const MutexLock lock(mutex_);
    TROVE_RETURN_IF_ERROR(Fence(guest));
    Known& known = guests_[guest.guest_id];
    known.removed = true;
    known.made = false;
    known.presence = GuestPresence::kGone;
    watcher = watcher_;
  }
  if (watcher != nullptr) watcher->OnRemoved(guest.guest_id);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ObservedGuest>> NoopProvisioner::List(const Call& call) {
  TROVE_RETURN_IF_ERROR(Enter(call, "List"));
  const MutexLock lock(mutex_);
  std::vector<ObservedGuest> listed;
  for (const auto& [id, known] : guests_)
    if (known.made) listed.push_back({known.ref, known.presence});
  return listed;
}

}  // namespace trove::taskmanager
