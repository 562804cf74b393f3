#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
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
  /// Every call of `method` takes this long, or ends with its Call.
  void SetDelay(const std::string& method, absl::Duration delay);
  /// The processes of a guest end, as by kill -9 or a reboot. Its watcher hears that it stopped.
  void KillProcesses(const GuestId& guest);
  /// All processes end and all claims are gone, as by a reboot.
  void Reboot();
  /// A guest that nobody ordered, as left over from somewhere.
  void AddStranger(const GuestRef& guest);

  // What there is.
  int calls(const std::string& method) const;
  std::set<GuestId> running() const;
  std::set<GuestId> guests() const;
  std::set<VolumeId> volumes() const;
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
  absl::Status Remove(const Call& call, const GuestRef& guest) override;
  absl::StatusOr<std::vector<ObservedGuest>> List(const Call& call) override;

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

  // What every call does first: waits as told, fails as told.
  absl::Status Enter(const Call& call, const std::string& method) TROVE_EXCLUDES(mutex_);
  // Refuses a stale generation; remembers a higher one.
  absl::Status Fence(const GuestRef& guest) TROVE_REQUIRES(mutex_);
  absl::Status RefuseRemoved(const GuestRef& guest) TROVE_REQUIRES(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  GuestWatcher* watcher_ TROVE_GUARDED_BY(mutex_) = nullptr;
  std::map<std::string, Fault> faults_ TROVE_GUARDED_BY(mutex_);
  std::map<std::string, absl::Duration> delays_ TROVE_GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ TROVE_GUARDED_BY(mutex_);
  std::map<GuestId, Known> guests_ TROVE_GUARDED_BY(mutex_);
  std::map<VolumeId, GuestId> volumes_ TROVE_GUARDED_BY(mutex_);
  std::map<int, GuestId> ports_ TROVE_GUARDED_BY(mutex_);
  std::map<GuestId, int> port_of_ TROVE_GUARDED_BY(mutex_);
  int next_port_ TROVE_GUARDED_BY(mutex_) = 0;
};

}  // namespace trove::taskmanager
