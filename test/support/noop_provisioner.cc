#include "test/support/noop_provisioner.h"

#include <algorithm>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "services/taskmanager/pause.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPiece = absl::Milliseconds(10);

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

void NoopProvisioner::SetDelay(const std::string& method, absl::Duration delay, int after) {
  const MutexLock lock(mutex_);
  delays_[method] = {delay, after};
}

void NoopProvisioner::KillProcesses(const GuestId& guest) {
  GuestWatcher* watcher = nullptr;
  std::function<void(const GuestId&)> heard;
  {
    const MutexLock lock(mutex_);
    const auto known = guests_.find(guest);
    if (known == guests_.end() || known->second.presence != GuestPresence::kRunning) return;
    known->second.presence = GuestPresence::kGone;
    watcher = watcher_;
    heard = heard_;
  }
  if (watcher != nullptr) watcher->OnStopped(guest);
  if (heard) heard(guest);
}

void NoopProvisioner::LoseVolume(const VolumeId& volume) {
  const MutexLock lock(mutex_);
  volumes_.erase(volume);
}

void NoopProvisioner::AddVolume(const VolumeId& volume, const GuestId& guest) {
  const MutexLock lock(mutex_);
  volumes_[volume].guest = guest;
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
  for (const auto& [id, stored] : volumes_)
    ids.insert(id);
  return ids;
}

std::set<std::string> NoopProvisioner::snapshots() const {
  const MutexLock lock(mutex_);
  std::set<std::string> names;
  for (const auto& [id, stored] : volumes_)
    for (const auto& [name, content] : stored.snapshots)
      names.insert(id.value() + "/" + name);
  return names;
}

int NoopProvisioner::volume_size_gib(const VolumeId& volume) const {
  const MutexLock lock(mutex_);
  const auto found = volumes_.find(volume);
  return found == volumes_.end() ? 0 : found->second.size_gib;
}

std::optional<Flavor> NoopProvisioner::limits(const GuestId& guest) const {
  const MutexLock lock(mutex_);
  const auto known = guests_.find(guest);
  if (known == guests_.end() || !known->second.made) return std::nullopt;
  return known->second.spec.flavor;
}

int NoopProvisioner::content(const VolumeId& volume) const {
  const MutexLock lock(mutex_);
  const auto found = volumes_.find(volume);
  return found == volumes_.end() ? 0 : found->second.content;
}

void NoopProvisioner::WriteTo(const GuestId& guest) {
  const MutexLock lock(mutex_);
  for (auto& [id, stored] : volumes_)
    if (stored.guest == guest) stored.content = ++last_content_;
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
    if (const auto found = delays_.find(method);
        found != delays_.end() && found->second.second-- <= 0)
      delay = found->second.first;
  }
  if (delay > absl::ZeroDuration()) {
    const auto still_slow = [&] {
      const MutexLock lock(mutex_);
      return delays_[method].first > absl::ZeroDuration();
    };
    const absl::Time until = absl::Now() + std::min(delay, call.Remaining());
    // In pieces, as the delay may be taken back meanwhile.
    while (absl::Now() < until && !call.stop.stop_requested() && still_slow())
      Pause(call.stop, std::min(kPiece, until - absl::Now()));
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
  Stored& stored = volumes_[spec.volume_id];
  stored.guest = spec.guest.guest_id;
  stored.size_gib = std::max(stored.size_gib, spec.size_gib);
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

absl::Status NoopProvisioner::SnapshotVolume(const Call& call,
                                             const GuestRef& guest,
                                             const VolumeId& volume,
                                             const std::string& name) {
  TROVE_RETURN_IF_ERROR(Enter(call, "SnapshotVolume"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(RefuseRemoved(guest));
  TROVE_RETURN_IF_ERROR(Fence(guest));
  const auto stored = volumes_.find(volume);
  if (stored == volumes_.end()) return absl::FailedPreconditionError("the volume is missing");
  stored->second.snapshots.try_emplace(name, stored->second.content);
  return absl::OkStatus();
}

absl::Status NoopProvisioner::RevertVolume(const Call& call,
                                           const GuestRef& guest,
                                           const VolumeId& volume,
                                           const std::string& name) {
  TROVE_RETURN_IF_ERROR(Enter(call, "RevertVolume"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(RefuseRemoved(guest));
  TROVE_RETURN_IF_ERROR(Fence(guest));
  const auto stored = volumes_.find(volume);
  if (stored == volumes_.end()) return absl::FailedPreconditionError("the volume is missing");
  const auto kept = stored->second.snapshots.find(name);
  if (kept == stored->second.snapshots.end())
    return absl::NotFoundError("there is no snapshot " + name);
  stored->second.content = kept->second;
  return absl::OkStatus();
}

absl::Status NoopProvisioner::RemoveSnapshot(const Call& call,
                                             const GuestRef& guest,
                                             const VolumeId& volume,
                                             const std::string& name) {
  TROVE_RETURN_IF_ERROR(Enter(call, "RemoveSnapshot"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(Fence(guest));
  if (const auto stored = volumes_.find(volume); stored != volumes_.end())
    stored->second.snapshots.erase(name);
  return absl::OkStatus();
}

absl::Status NoopProvisioner::Reset(const Call& call, const GuestRef& guest) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Reset"));
  GuestWatcher* watcher = nullptr;
  {
    const MutexLock lock(mutex_);
    TROVE_RETURN_IF_ERROR(RefuseRemoved(guest));
    TROVE_RETURN_IF_ERROR(Fence(guest));
    Known& known = guests_[guest.guest_id];
    known.made = false;
    known.presence = GuestPresence::kGone;
    watcher = watcher_;
  }
  if (watcher != nullptr) watcher->OnReset(guest.guest_id);
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

absl::Status NoopProvisioner::ReplaceAgent(const Call& call, const GuestRef& guest) {
  TROVE_RETURN_IF_ERROR(Enter(call, "ReplaceAgent"));
  const MutexLock lock(mutex_);
  TROVE_RETURN_IF_ERROR(Fence(guest));
  const Known& known = guests_[guest.guest_id];
  if (!known.made) return absl::NotFoundError("no such guest here");
  if (known.presence == GuestPresence::kRunning) return absl::OkStatus();
  return absl::UnavailableError("the guest does not run");
}

absl::StatusOr<std::vector<VolumeId>> NoopProvisioner::ListVolumes(const Call& call) {
  TROVE_RETURN_IF_ERROR(Enter(call, "ListVolumes"));
  const std::set<VolumeId> ids = volumes();
  return std::vector<VolumeId>(ids.begin(), ids.end());
}

absl::StatusOr<std::vector<std::string>> NoopProvisioner::Sweep(
    const Call& call, const std::function<absl::StatusOr<bool>(const GuestId&)>& is_buried) {
  TROVE_RETURN_IF_ERROR(Enter(call, "Sweep"));
  std::vector<std::string> swept;
  for (const auto& [port, guest] : ports()) {
    TROVE_ASSIGN_OR_RETURN(const bool buried, is_buried(guest));
    if (!buried) continue;
    const MutexLock lock(mutex_);
    ports_.erase(port);
    port_of_.erase(guest);
    swept.push_back("port " + std::to_string(port));
  }
  return swept;
}

void NoopProvisioner::OnGuestEnded(std::function<void(const GuestId&)> heard) {
  const MutexLock lock(mutex_);
  heard_ = std::move(heard);
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
