#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/call.h"
#include "libtrove/base/id.h"
#include "libtrove/base/unique_fd.h"

namespace trove::taskmanager {

/// What volumes held at some time, kept beside them where no guest can enter:
/// `<folder>/<volume>/<name>`. One in the making has a name that begins with its own and a dot; it
/// is gone on with by whoever repeats the call, and begun anew after a reboot of the host. The
/// caller holds the volume's guest. Thread-safe.
class VolumeSnapshots {
 public:
  /// Makes the folder. At most `copies` copies are made at a time, whoever asks.
  static absl::StatusOr<VolumeSnapshots> Open(std::filesystem::path folder, int copies);

  /// As Provisioner::SnapshotVolume, of the tree `volume` that belongs to `uid`. Errors: also
  /// kDeadlineExceeded: as many copies as may be are being made; call again.
  absl::Status Keep(const Call& call,
                    const std::filesystem::path& volume,
                    const VolumeId& id,
                    const std::string& name,
                    int uid) const;

  /// As Provisioner::RevertVolume. `prepare` is called with the new tree before it takes the
  /// volume's place in one step; what was there is given to `discard`.
  absl::Status Revert(
      const Call& call,
      const std::filesystem::path& volume,
      const VolumeId& id,
      const std::string& name,
      int uid,
      const std::function<absl::Status(const std::filesystem::path&)>& prepare,
      const std::function<absl::Status(const std::filesystem::path&)>& discard) const;

  /// Removes one, finished or not, by `discard`.
  absl::Status Remove(
      const VolumeId& id,
      const std::string& name,
      const std::function<absl::Status(const std::filesystem::path&)>& discard) const;

  /// Removes all of a volume.
  absl::Status RemoveAll(
      const VolumeId& id,
      const std::function<absl::Status(const std::filesystem::path&)>& discard) const;

 private:
  VolumeSnapshots(std::filesystem::path folder, std::string boot, int copies)
      : folder_(std::move(folder)), boot_(std::move(boot)), copies_(copies) {}

  // The right to make one copy, until it is destroyed. Waits for it, not for long.
  absl::StatusOr<UniqueFd> TakeTurn(const Call& call) const;
  // Whether a copy of `from` finds room, besides what is in `part` already.
  absl::Status CheckRoom(const Call& call,
                         const std::filesystem::path& from,
                         const std::filesystem::path& part) const;
  // Removes what other boots left half-made under `prefix`.
  absl::Status RemoveOlder(const VolumeId& id, const std::string& prefix) const;

  std::filesystem::path folder_;
  std::string boot_;
  int copies_;
};

}  // namespace trove::taskmanager
