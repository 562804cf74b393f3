#include "services/api/policy.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "libtrove/model/errors.h"

namespace trove::api {
namespace {

// From least to most: who has one has those before it.
constexpr std::array<std::string_view, 3> kRoles = {"reader", "member", "admin"};

struct Rule {
  Action action;
  std::string_view name;
  std::string_view least_role;
};

constexpr Rule kPolicy[] = {
    {Action::kReadCatalogue, "read the catalogue", "reader"},
    {Action::kReadInstance, "read instances", "reader"},
    {Action::kCreateInstance, "create an instance", "member"},
    {Action::kUpdateInstance, "change an instance", "member"},
    {Action::kRestartInstance, "restart an instance", "member"},
    {Action::kDeleteInstance, "delete an instance", "member"},
    {Action::kReadOperation, "read operations", "reader"},
    {Action::kReadLimits, "read limits", "reader"},
    {Action::kCreateToken, "create a token", "admin"},
};

std::ptrdiff_t Rank(std::string_view role) {
  const auto* found = std::find(kRoles.begin(), kRoles.end(), role);
  return found == kRoles.end() ? -1 : found - kRoles.begin();
}

}  // namespace

bool Caller::IsAdmin() const {
  return std::find(roles.begin(), roles.end(), "admin") != roles.end();
}

std::optional<ProjectId> ScopeOf(const Caller& caller) {
  if (caller.IsAdmin()) return std::nullopt;
  return caller.project_id;
}

absl::Status Authorize(const Caller& caller, Action action) {
  for (const Rule& rule : kPolicy) {
    if (rule.action != action) continue;
    const auto suffices = [&](const std::string& role) {
      return Rank(role) >= Rank(rule.least_role);
    };
    if (std::any_of(caller.roles.begin(), caller.roles.end(), suffices)) return absl::OkStatus();
    return MakeError(Reason::kPermissionDenied,
                     "this token may not " + std::string(rule.name) + ": it takes the role " +
                         std::string(rule.least_role) + " in project " + caller.project_id.value());
  }
  return MakeError(Reason::kPermissionDenied, "this action has no rule in the policy");
}

bool IsRole(const std::string& role) {
  return Rank(role) >= 0;
}

}  // namespace trove::api
