#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace trove::taskmanager {

/// Numbers (ports, uids) that only one guest on this host may have, whichever mesh it is of: a file
/// each in a folder that all meshes share, made by whoever comes first. Thread-safe.
class Claims {
 public:
  /// `owner_prefix` is this mesh's: owners are `<prefix>/<guest>`. Makes the folder.
  static absl::StatusOr<Claims> Open(std::filesystem::path folder, std::string owner_prefix);

  /// Makes `kind`-`number` this owner's, or finds that it is already. False: it is somebody else's.
  absl::StatusOr<bool> Take(const std::string& kind, int number, const std::string& guest) const;

  struct Claim {
    std::string kind;
    int number = 0;
    std::string guest;
  };
  /// Everything that this mesh has claimed.
  absl::StatusOr<std::vector<Claim>> List() const;

  /// Gives it back; one that is somebody else's stays theirs.
  absl::Status Return(const std::string& kind, int number, const std::string& guest) const;

 private:
  Claims(std::filesystem::path folder, std::string owner_prefix)
      : folder_(std::move(folder)), owner_prefix_(std::move(owner_prefix)) {}

  std::filesystem::path PathOf(const std::string& kind, int number) const;

  std::filesystem::path folder_;
  std::string owner_prefix_;
};

/// Where claims lie: `/run/trove/claims` as root, else a folder of the user's own.
std::filesystem::path DefaultClaimsFolder();

}  // namespace trove::taskmanager
