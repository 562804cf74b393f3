#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/call.h"
#include "libtrove/base/id.h"
#include "libtrove/base/unique_fd.h"

namespace trove::taskmanager {

/// What a host remembers of a guest outside the guest's reach: its place, the highest generation
/// seen, whether it was removed for good.
struct GuestRecord {
  std::string instance_id;
  std::int64_t generation = 0;
  int port = 0;
  int uid = 0;
  bool buried = false;
};

/// The records of a host, a file each; a lock file beside each puts calls on one guest in order,
/// also across processes.
class GuestRecords {
 public:
  /// Makes the folder.
  static absl::StatusOr<GuestRecords> Open(std::filesystem::path folder);

  /// Holds one guest until it is destroyed.
  using Hold = UniqueFd;
  /// Waits until nobody else holds the guest. Errors: those of the call.
  absl::StatusOr<Hold> Lock(const Call& call, const GuestId& guest) const;

  /// An empty record when there is none. The guest is held by the caller, as for Put.
  absl::StatusOr<GuestRecord> Get(const GuestId& guest) const;
  absl::Status Put(const GuestId& guest, const GuestRecord& record) const;

  /// Every guest that has a record. Nobody need be held.
  absl::StatusOr<std::vector<GuestId>> List() const;

 private:
  explicit GuestRecords(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_;
};

}  // namespace trove::taskmanager
