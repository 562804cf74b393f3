#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/id.h"

namespace trove::api {

/// What can be asked for, as the policy knows it.
enum class Action {
  kReadCatalogue,
  kReadLimits,
  kReadInstance,
  kCreateInstance,
  kUpdateInstance,
  kDeleteInstance,
  kRestartInstance,
  kStopInstance,
  kStartInstance,
  kResizeInstance,
  kGrowVolume,
  kAttachConfiguration,
  kDetachConfiguration,
  kUpgradeInstance,
  kRebuildInstance,
  kReadOperation,
  kCancelOperation,
  kRetryOperation,
  kReadConfiguration,
  kCreateConfiguration,
  kDeleteConfiguration,
  kReadEvents,
  kReadAudit,
  kCreateToken,
};

/// The rpc that does this, as `CreateInstance`: the record's word for it. Of reading, `Read…`.
std::string_view ActionName(Action action);

/// Who makes a request: what its token says, and where it comes from.
struct Caller {
  ProjectId project_id;            ///< empty: the token was no good
  std::string user;                ///< empty: the token was no good
  std::vector<std::string> roles;  ///< of `admin`, `member`, `reader`
  std::string address;             ///< `192.0.2.7`
  Action action = Action::kReadCatalogue;
  absl::Time until = absl::InfiniteFuture();  ///< when the token ends

  bool IsAdmin() const;
};

/// The project that a caller's reads are confined to; none for an admin, who reaches every
/// project's resources by id.
std::optional<ProjectId> ScopeOf(const Caller& caller);

/// The project that a list is confined to: the caller's, or none when an admin asks for all.
/// kPermissionDenied: somebody else asks for all.
absl::StatusOr<std::optional<ProjectId>> ListScopeOf(const Caller& caller, bool all_projects);

/// The one policy: OK when one of the caller's roles may do this. kPermissionDenied (kAdminOnly
/// where Trove says 401) names the role that may.
absl::Status Authorize(const Caller& caller, Action action);

/// Whether `role` is one that the policy knows.
bool IsRole(const std::string& role);

}  // namespace trove::api
