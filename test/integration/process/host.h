#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libtrove/agent/keeper_client.h"
#include "services/taskmanager/process/process_provisioner.h"
#include "test/support/temporary_directory.h"

namespace trove::taskmanager {

/// A host for guests whose agent is a shell script, which begins processes that hide from their
/// keeper. Guests that are left are removed in the end. Used by one thread at a time.
class Host {
 public:
  Host();
  ~Host();

  /// One more provisioner on the same host and mesh, as after a restart.
  std::unique_ptr<ProcessProvisioner> Open() const;

  /// A guest that nothing knows yet, of generation 1.
  GuestSpec NewGuest();
  /// Place, EnsureVolume and Ensure; the guest's agent is up.
  GuestSpec NewRunningGuest();
  static VolumeSpec VolumeOf(const GuestSpec& guest);

  /// The guest's presence as List tells it; nothing when it is not in the list.
  std::optional<GuestPresence> PresenceOf(const GuestSpec& guest) const;
  /// Living processes of the guest, whoever started them.
  std::vector<pid_t> ProcessesOf(const GuestSpec& guest) const;
  keeper::KeeperClient KeeperOf(const GuestSpec& guest) const;
  /// The template's content, as it is in a volume.
  std::string ContentOf(const GuestSpec& guest) const;
  /// Whether nothing is left of the guest but its tombstone.
  bool IsGone(const GuestSpec& guest) const;

  /// Whether guests have control groups here, and how much memory in bytes a guest's allows.
  bool LimitsAreKept() const { return Cgroups::Detect(mesh_id_).available(); }
  std::int64_t MemoryLimitOf(const GuestSpec& guest) const;

  /// How often a template has been built.
  int builds() const;
  /// The next builds fail until this is called with false.
  void BreakBuilds(bool broken);

  ProcessProvisioner& provisioner() { return *provisioner_; }
  const ProcessLayout& layout() const { return layout_; }

 private:
  const TemporaryDirectory folder_;
  const std::string mesh_id_;
  const ProcessLayout layout_;
  std::unique_ptr<ProcessProvisioner> provisioner_;
  std::vector<GuestSpec> guests_;
};

/// A call that is long enough for anything here.
Call Soon();

}  // namespace trove::taskmanager
