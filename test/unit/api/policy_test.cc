#include "services/api/policy.h"

#include <catch2/catch.hpp>

#include "libtrove/model/errors.h"

namespace trove::api {
namespace {

TEST_CASE("a role may do what it and the lesser ones may", "[unit][api]") {
  const auto [role, action, allowed] = GENERATE(table<const char*, Action, bool>({
      {"reader", Action::kReadInstance, true},
      {"reader", Action::kReadOperation, true},
      {"reader", Action::kReadLimits, true},
      {"reader", Action::kReadCatalogue, true},
      {"reader", Action::kCreateInstance, false},
      {"reader", Action::kUpdateInstance, false},
      {"reader", Action::kRestartInstance, false},
      {"reader", Action::kDeleteInstance, false},
      {"member", Action::kReadInstance, true},
      {"member", Action::kCreateInstance, true},
      {"member", Action::kDeleteInstance, true},
      {"member", Action::kCreateToken, false},
      {"admin", Action::kCreateToken, true},
      {"admin", Action::kDeleteInstance, true},
      {"reader", Action::kStopInstance, false},
      {"member", Action::kStopInstance, true},
      {"member", Action::kUpgradeInstance, true},
      {"reader", Action::kCancelOperation, false},
      {"member", Action::kCancelOperation, true},
      {"member", Action::kRetryOperation, true},
      {"reader", Action::kReadConfiguration, true},
      {"reader", Action::kCreateConfiguration, false},
      {"member", Action::kDeleteConfiguration, true},
      {"reader", Action::kReadEvents, true},
      {"member", Action::kReadAudit, false},
      {"admin", Action::kReadAudit, true},
      {"stranger", Action::kReadCatalogue, false},
      {"", Action::kReadCatalogue, false},
  }));
  CAPTURE(role, static_cast<int>(action));
  const Caller caller{.project_id = ProjectId("p"), .user = "u", .roles = {role}, .address = ""};
  const absl::Status status = Authorize(caller, action);
  CHECK(status.ok() == allowed);
  if (!allowed) CHECK(ReasonOf(status).reason == Reason::kPermissionDenied);
}

TEST_CASE("who is no admin is told so where Trove says 401", "[unit][api]") {
  const Caller member{
      .project_id = ProjectId("p"), .user = "u", .roles = {"member"}, .address = ""};
  CHECK(ReasonOf(Authorize(member, Action::kRebuildInstance)).reason == Reason::kAdminOnly);
}

TEST_CASE("only an admin lists what is of all projects", "[unit][api]") {
  const Caller admin{.project_id = ProjectId("p"), .user = "u", .roles = {"admin"}, .address = ""};
  const Caller member{
      .project_id = ProjectId("p"), .user = "u", .roles = {"member"}, .address = ""};
  CHECK(ListScopeOf(admin, true)->has_value() == false);
  CHECK(**ListScopeOf(admin, false) == ProjectId("p"));
  CHECK(**ListScopeOf(member, false) == ProjectId("p"));
  CHECK(ReasonOf(ListScopeOf(member, true).status()).reason == Reason::kPermissionDenied);
}

TEST_CASE("only an admin reaches beyond the project", "[unit][api]") {
  const Caller admin{.project_id = ProjectId("p"), .user = "u", .roles = {"admin"}, .address = ""};
  const Caller member{
      .project_id = ProjectId("p"), .user = "u", .roles = {"member"}, .address = ""};
  CHECK_FALSE(ScopeOf(admin).has_value());
  CHECK(ScopeOf(member) == ProjectId("p"));
}

}  // namespace
}  // namespace trove::api
