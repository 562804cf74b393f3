#include "services/api/policy.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

#include "libtrove/base/check.h"
#include "libtrove/model/errors.h"

namespace trove::api {
namespace {

// From least to most: who has one has those before it.
constexpr std::array<std::string_view, 3> kRoles = {"reader", "member", "admin"};

struct Rule {
  Action action;
  std::string_view name;
  std::string_view words;
  std::string_view least_role;
  Reason refusal = Reason::kPermissionDenied;
};

constexpr Rule kPolicy[] = {
    {Action::kReadCatalogue, "ReadCatalogue", "read the catalogue", "reader"},
    {Action::kReadLimits, "ReadLimits", "read limits", "reader"},
    {Action::kReadInstance, "ReadInstance", "read instances", "reader"},
    {Action::kCreateInstance, "CreateInstance", "create an instance", "member"},
    {Action::kUpdateInstance, "UpdateInstance", "change an instance", "member"},
    {Action::kDeleteInstance, "DeleteInstance", "delete an instance", "member"},
    {Action::kRestartInstance, "RestartInstance", "restart an instance", "member"},
    {Action::kStopInstance, "StopInstance", "stop an instance", "member"},
    {Action::kStartInstance, "StartInstance", "start an instance", "member"},
    {Action::kResizeInstance, "ResizeInstance", "resize an instance", "member"},
    {Action::kGrowVolume, "GrowVolume", "grow a volume", "member"},
    {Action::kAttachConfiguration, "AttachConfiguration", "attach a configuration", "member"},
    {Action::kDetachConfiguration, "DetachConfiguration", "detach a configuration", "member"},
    {Action::kUpgradeInstance, "UpgradeInstance", "upgrade an instance", "member"},
    // Trove answers 401 to who is no admin on its admins' routes.
    {Action::kRebuildInstance,
     "RebuildInstance",
     "rebuild an instance",
     "admin",
     Reason::kAdminOnly},
    {Action::kReadOperation, "ReadOperation", "read operations", "reader"},
    {Action::kCancelOperation, "CancelOperation", "cancel an operation", "member"},
    {Action::kRetryOperation, "RetryOperation", "retry an operation", "member"},
    {Action::kReadConfiguration, "ReadConfiguration", "read configurations", "reader"},
    {Action::kCreateConfiguration, "CreateConfiguration", "create a configuration", "member"},
    {Action::kDeleteConfiguration, "DeleteConfiguration", "delete a configuration", "member"},
    {Action::kReadEvents, "ReadEvents", "read events", "reader"},
    {Action::kReadAudit, "ReadAudit", "read the audit records", "admin"},
    {Action::kCreateToken, "CreateToken", "create a token", "admin"},
};

const Rule& RuleOf(Action action) {
  const Rule* found = std::find_if(
      std::begin(kPolicy), std::end(kPolicy), [&](const Rule& r) { return r.action == action; });
  TROVE_CHECK(found != std::end(kPolicy));
  return *found;
}

std::ptrdiff_t Rank(std::string_view role) {
  const auto* found = std::find(kRoles.begin(), kRoles.end(), role);
  return found == kRoles.end() ? -1 : found - kRoles.begin();
}

}  // namespace

std::string_view ActionName(Action action) {
  return RuleOf(action).name;
}

bool Caller::IsAdmin() const {
  return std::find(roles.begin(), roles.end(), "admin") != roles.end();
}

std::optional<ProjectId> ScopeOf(const Caller& caller) {
  if (caller.IsAdmin()) return std::nullopt;
  return caller.project_id;
}

absl::StatusOr<std::optional<ProjectId>> ListScopeOf(const Caller& caller, bool all_projects) {
  if (!all_projects) return std::optional(caller.project_id);
  if (caller.IsAdmin()) return std::optional<ProjectId>();
  return MakeError(Reason::kPermissionDenied,
                   "this token may not read those of all projects: it takes the role admin",
                   {.violations = {{"all_projects", "must be false without the role admin"}}});
}

absl::Status Authorize(const Caller& caller, Action action) {
  const Rule& rule = RuleOf(action);
  const auto suffices = [&](const std::string& role) {
    return Rank(role) >= Rank(rule.least_role);
  };
  if (std::any_of(caller.roles.begin(), caller.roles.end(), suffices)) return absl::OkStatus();
  return MakeError(rule.refusal,
                   "this token may not " + std::string(rule.words) + ": it takes the role " +
                       std::string(rule.least_role) + " in project " + caller.project_id.value());
}

bool IsRole(const std::string& role) {
  return Rank(role) >= 0;
}

}  // namespace trove::api
