#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/agent/keeper_client.h"
#include "libtrove/base/log.h"
#include "services/taskmanager/process/cgroups.h"
#include "services/taskmanager/process/claims.h"
#include "services/taskmanager/process/guest_record.h"
#include "services/taskmanager/process/keeper_watch.h"
#include "services/taskmanager/process/layout.h"
#include "services/taskmanager/process/templates.h"
#include "services/taskmanager/process/volume_snapshots.h"
#include "services/taskmanager/provisioner.h"

namespace trove::taskmanager {

/// Numbers from `first` to `last`, both included.
struct NumberRange {
  int first = 0;
  int last = 0;
};

struct ProcessProvisionerOptions {
  std::string mesh_id;
  std::string host;  ///< this machine's name, in placements
  std::filesystem::path data_dir;
  std::filesystem::path socket_dir;     ///< short
  std::filesystem::path programs;       ///< folder of trove-keeper and the agents
  std::filesystem::path claims_folder;  ///< shared by all meshes of the host
  std::string address = "127.0.0.1";    ///< where clients connect
  NumberRange ports = {20'000, 29'999};
  NumberRange uids = {200'000, 209'999};  ///< used as root only; the first builds templates
  int heartbeat_interval_ms = 5000;
  std::string log_level = "info";
};

/// Guests as processes of this machine: the embedded default. As root each guest has a numeric user
/// of its own, otherwise all are the caller's.
class ProcessProvisioner final : public Provisioner {
 public:
  /// Makes its folders. Errors: kFailedPrecondition: a program is missing, or a socket's path would
  /// be too long.
  static absl::StatusOr<std::unique_ptr<ProcessProvisioner>> Open(ProcessProvisionerOptions options,
                                                                  Log log);

  std::string placement_prefix() const override { return "process:" + options_.host; }
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
  ProcessProvisioner(ProcessProvisionerOptions options,
                     Claims claims,
                     GuestRecords records,
                     VolumeSnapshots snapshots,
                     std::unique_ptr<KeeperWatch> keepers,
                     Log log);

  // A guest held, with its record, for one call that came with a generation that is not stale.
  struct Held {
    GuestRecords::Hold hold;
    GuestRecord record;
  };
  absl::StatusOr<Held> Hold(const Call& call, const GuestRef& guest) const;
  absl::StatusOr<int> ClaimNumber(const std::string& kind,
                                  const NumberRange& range,
                                  int wanted,
                                  const GuestId& guest) const;
  GuestPlace PlaceOf(const GuestId& guest, const GuestRecord& record) const;
  bool IsFree(int port) const;
  absl::Status LimitVolume(const VolumeSpec& spec) const;
  absl::Status MakeGuestFiles(const GuestSpec& spec) const;
  absl::Status ReplaceOldAgent(const Call& call, const GuestRef& guest) const;
  absl::Status WriteForGuest(const std::filesystem::path& path,
                             const std::string& text,
                             int uid) const;
  absl::StatusOr<keeper::Spec> KeeperSpecOf(const GuestSpec& spec) const;
  keeper::KeeperClient KeeperOf(const GuestId& guest) const;
  absl::Status StartKeeperOf(const Call& call, const GuestRef& guest, int uid) const;
  absl::Status StopInOrder(const Call& call, const GuestRef& guest, int uid) const;
  absl::Status EndProcesses(const Call& call,
                            const GuestId& guest,
                            const GuestRecord& record) const;
  absl::Status RemoveGuest(const Call& call, const GuestId& guest, const GuestRecord& record) const;
  absl::Status Discard(const std::filesystem::path& path) const;
  void WatchKeeper(const GuestId& guest, pid_t keeper) const;

  const ProcessProvisionerOptions options_;
  const ProcessLayout layout_;
  const Programs programs_;
  const Claims claims_;
  const GuestRecords records_;
  const VolumeSnapshots snapshots_;
  const Cgroups cgroups_;
  const Templates templates_;
  const Log log_;
  const std::unique_ptr<KeeperWatch> keepers_;
};

}  // namespace trove::taskmanager
