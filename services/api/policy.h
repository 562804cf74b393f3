#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "libtrove/base/id.h"

namespace trove::api {

/// Who makes a request: what its token says.
struct Caller {
  ProjectId project_id;
  std::string user;
  std::vector<std::string> roles;  ///< of `admin`, `member`, `reader`
  std::string address;             ///< where the request comes from, for the record

  bool IsAdmin() const;
};

/// The project that a caller's reads are confined to; none for an admin, who reaches every
/// project's resources by id.
std::optional<ProjectId> ScopeOf(const Caller& caller);

/// What can be asked for, as the policy knows it.
enum class Action {
  kReadCatalogue,
  kReadInstance,
  kCreateInstance,
  kUpdateInstance,
  kRestartInstance,
  kDeleteInstance,
  kReadOperation,
  kReadLimits,
  kCreateToken,
};

/// The one policy: OK when one of the caller's roles may do this. kPermissionDenied names the roles
/// that may.
absl::Status Authorize(const Caller& caller, Action action);

/// Whether `role` is one that the policy knows.
bool IsRole(const std::string& role);

}  // namespace trove::api
