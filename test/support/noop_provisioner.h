#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libtrove/base/mutex.h"
#include "services/taskmanager/provisioner.h"

namespace trove::taskmanager {

/// Hears what becomes of guests, as their processes would: SimulatedGuests is one. Called on the
/// caller's thread, without any lock held.
class GuestWatcher {
 public:
  virtual ~GuestWatcher() = default;
  virtual void OnStarted(const GuestSpec& spec) = 0;
  virtual void OnStopped(const GuestId& guest) = 0;
  /// Its files are gone: it knows nothing of its earlier life.
  virtual void OnReset(const GuestId& guest) = 0;
  virtual void OnRemoved(const GuestId& guest) = 0;
};

/// A Provisioner that keeps its word in memory and makes nothing: generations, tombstones and
/// claims are real. A test or a bench tells it to fail or to be slow. Thread-safe.
class NoopProvisioner final : public Provisioner {
 public:
  struct Options {
    std::string placement_prefix = "noop:here";
    std::string address = "127.0.0.1";
    int first_port = 20000;
    int ports = 10000;
  };

  NoopProvisioner() : NoopProvisioner(Options()) {}
  explicit NoopProvisioner(Options options) : options_(std::move(options)) {}

  /// `watcher` must outlive this object; null: nobody.
  void SetWatcher(GuestWatcher* watcher);

  /// The next `times` calls of `method` (`Place`, `EnsureVolume`, …) answer `error`, having done
  /// nothing.
  void FailNext(const std::string& method, int times, absl::Status error);
  /// Every call of `method` takes this long, or ends with its Call, once `after` of them have
  /// passed; zero also ends the delay of those that are under way.
  void SetDelay(const std::string& method, absl::Duration delay, int after = 0);
  /// The processes of a guest end, as by kill -9 or a reboot. Its watcher hears that it stopped.
  void KillProcesses(const GuestId& guest);
  /// A volume that is there no more, or is there though nobody ordered it.
  void LoseVolume(const VolumeId& volume);
  void AddVolume(const VolumeId& volume, const GuestId& guest);
  /// All processes end and all claims are gone, as by a reboot.
  void Reboot();
  /// A guest that nobody ordered, as left over from somewhere.
  void AddStranger(const GuestRef& guest);

  // What there is.
  int calls(const std::string& method) const;
  std::set<GuestId> running() const;
  std::set<GuestId> guests() const;
  std::set<VolumeId> volumes() const;
  /// As `<volume>/<name>`.
  std::set<std::string> snapshots() const;
  /// What the volume was last made or grown to, in GiB; 0: there is none.
  int volume_size_gib(const VolumeId& volume) const;
  /// The limits that the guest has now.
  std::optional<Flavor> limits(const GuestId& guest) const;
  /// Which content a volume has: changes when something is said to write to it, and returns when
  /// it is reverted. 0: there is none.
  int content(const VolumeId& volume) const;
  /// Something writes to the volume, as an upgrade does.
  void WriteTo(const GuestId& guest);
  std::map<int, GuestId> ports() const;
  std::int64_t generation(const GuestId& guest) const;

  std::string placement_prefix() const override { return options_.placement_prefix; }
  absl::Status PrepareTemplates(const Call& call,
                                const std::vector<DatastoreVersion>& versions) override;
  absl::StatusOr<GuestPlace> Place(const Call& call, const GuestRef& guest) override;
  absl::Status Reclaim(const Call& call, const GuestRef& guest, const GuestPlace& place) override;
  absl::Status Release(const Call& call, const GuestRef& guest, const GuestPlace& place) override;
  absl::Status EnsureVolume(const Call& call, const VolumeSpec& spec) override;
  absl::Status RemoveVolume(const Call& call,
                            const GuestRef& guest,
                            const VolumeId& volume) override;
  absl::Status Ensure(const Call& call, const GuestSpec& spec) override;
  absl::Status Stop(const Call& call, const GuestRef& guest) override;
  absl::Status Start(const Call& call, const GuestRef& guest) override;
  absl::Status Resize(const Call& call, const GuestRef& guest, const Flavor& flavor) override;
  absl::Status SnapshotVolume(const Call& call,
                              const GuestRef& guest,
                              const VolumeId& volume,
                              const std::string& name) override;
  absl::Status RevertVolume(const Call& call,
                            const GuestRef& guest,
                            const VolumeId& volume,
                            const std::string& name) override;
  absl::Status RemoveSnapshot(const Call& call,
                              const GuestRef& guest,
                              const VolumeId& volume,
                              const std::string& name) override;
  absl::Status Reset(const Call& call, const GuestRef& guest) override;
  absl::Status Remove(const Call& call, const GuestRef& guest) override;
  absl::Status ReplaceAgent(const Call& call, const GuestRef& guest) override;
  absl::StatusOr<std::vector<ObservedGuest>> List(const Call& call) override;
  absl::StatusOr<std::vector<VolumeId>> ListVolumes(const Call& call) override;
  absl::StatusOr<std::vector<std::string>> Sweep(
      const Call& call,
      const std::function<absl::StatusOr<bool>(const GuestId&)>& is_buried) override;
  void OnGuestEnded(std::function<void(const GuestId&)> heard) override;

 private:
  struct Known {
    GuestRef ref;
    GuestSpec spec;
    GuestPresence presence = GuestPresence::kGone;
    bool made = false;  ///< Ensure was called; else it is known by its generation alone
    bool removed = false;
  };
  struct Fault {
    int times = 0;
    absl::Status error;
  };

  struct Stored {
    GuestId guest;
    int size_gib = 0;
    int content = 1;
    std::map<std::string, int> snapshots;  // content by name
  };

  // What every call does first: waits as told, fails as told.
  absl::Status Enter(const Call& call, const std::string& method) TROVE_EXCLUDES(mutex_);
  // Refuses a stale generation; remembers a higher one.
  absl::Status Fence(const GuestRef& guest) TROVE_REQUIRES(mutex_);
  absl::Status RefuseRemoved(const GuestRef& guest) TROVE_REQUIRES(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  GuestWatcher* watcher_ TROVE_GUARDED_BY(mutex_) = nullptr;
  std::function<void(const GuestId&)> heard_ TROVE_GUARDED_BY(mutex_);
  std::map<std::string, Fault> faults_ TROVE_GUARDED_BY(mutex_);
  std::map<std::string, std::pair<absl::Duration, int>> delays_ TROVE_GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ TROVE_GUARDED_BY(mutex_);
  std::map<GuestId, Known> guests_ TROVE_GUARDED_BY(mutex_);
  std::map<VolumeId, Stored> volumes_ TROVE_GUARDED_BY(mutex_);
  std::map<int, GuestId> ports_ TROVE_GUARDED_BY(mutex_);
  std::map<GuestId, int> port_of_ TROVE_GUARDED_BY(mutex_);
  int last_content_ TROVE_GUARDED_BY(mutex_) = 1;
  int next_port_ TROVE_GUARDED_BY(mutex_) = 0;
};

}  // namespace trove::taskmanager
