#include "services/api/plan_create.h"

#include <functional>
#include <string>

#include <catch2/catch.hpp>

#include "trove/v1/error.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"

namespace trove::api {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'767'600'000);

Manifest MariadbManifest() {
  Manifest manifest;
  manifest.datastore.name = "mariadb";
  manifest.datastore.id = DatastoreIdOf("mariadb");
  for (const char* name : {"10.11", "10.6"}) {
    manifest.datastore.versions.push_back({.id = VersionIdOf("mariadb", name, name),
                                           .datastore_id = manifest.datastore.id,
                                           .datastore_name = "mariadb",
                                           .name = name,
                                           .number = name,
                                           .agent = "mariadb",
                                           .active = std::string(name) == "10.11"});
  }
  manifest.datastore.default_version_id = manifest.datastore.versions[0].id;
  manifest.database_names = {.max_length = 64, .forbidden = "/\\`", .reserved = {"mysql"}};
  manifest.user_names = {.max_length = 80, .forbidden = "/\\`", .reserved = {"root", "os_admin"}};
  return manifest;
}

CreateRules Rules() {
  CreateRules rules;
  rules.manifests = {MariadbManifest()};
  rules.default_datastore = "mariadb";
  return rules;
}

v1::CreateInstanceRequest GoodRequest() {
  v1::CreateInstanceRequest request;
  request.set_name("orders");
  request.set_flavor_id("1");
  request.set_volume_size_gib(2);
  request.add_databases()->set_name("shop");
  v1::UserSpec* user = request.add_users();
  user->set_name("app");
  user->set_password("pw: 1");
  user->add_databases("shop");
  return request;
}

const Caller kCaller{
    .project_id = ProjectId("p1"), .user = "u", .roles = {"member"}, .address = ""};

absl::StatusOr<NewInstance> Plan(const v1::CreateInstanceRequest& request,
                                 const std::optional<Configuration>& configuration = {}) {
  const CreateRules rules = Rules();
  return PlanCreate(request,
                    kCaller,
                    {rules.manifests[0].datastore},
                    DefaultFlavors(),
                    rules,
                    configuration,
                    kNow);
}

// The first field that the refusal names.
std::string FieldOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorDetailUrl);
  v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return "no detail";
  return detail.field_violations().empty() ? "" : detail.field_violations(0).field();
}

TEST_CASE("a good request is planned with what it asks for", "[unit][api]") {
  const auto planned = Plan(GoodRequest());
  REQUIRE(planned.ok());
  CHECK(planned->instance.name == "orders");
  CHECK(planned->instance.project_id == ProjectId("p1"));
  CHECK(planned->instance.version_id == VersionIdOf("mariadb", "10.11", "10.11"));
  CHECK(planned->instance.flavor_id == FlavorId("1"));
  CHECK(planned->instance.volume_size_gib == 2);
  CHECK(planned->operation.kind == "instance.create");
  CHECK(planned->operation.instance_id == planned->instance.id);
  CHECK(planned->operation.deadline == kNow + absl::Minutes(10));
  CHECK(planned->quota.size() == 3);
}

TEST_CASE("a create with a configuration group uses it, holds it and fits it", "[unit][api]") {
  Configuration group;
  group.id = ConfigurationId("g");
  group.version_id = VersionIdOf("mariadb", "10.11", "10.11");
  const auto planned = Plan(GoodRequest(), group);
  REQUIRE(planned.ok());
  CHECK(planned->instance.configuration_id == group.id);
  REQUIRE(planned->locks.size() == 1);
  CHECK(planned->locks[0].resource == "configurations/g");
  CHECK(planned->locks[0].mode == LockMode::kShared);

  group.version_id = VersionIdOf("mariadb", "10.6", "10.6");
  const absl::Status refused = Plan(GoodRequest(), group).status();
  CHECK(ReasonOf(refused).reason == Reason::kConfigurationMismatch);
  CHECK(FieldOf(refused) == "configuration_id");
}

TEST_CASE("two plans share no id", "[unit][api]") {
  const auto one = Plan(GoodRequest());
  const auto two = Plan(GoodRequest());
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(one->instance.id != two->instance.id);
  CHECK(one->guest_id != two->guest_id);
  CHECK(one->volume_id != two->volume_id);
  CHECK(one->endpoint_id != two->endpoint_id);
  CHECK(one->operation.id != two->operation.id);
}

TEST_CASE("a bad create names the field, the reason and nothing is planned", "[unit][api]") {
  using Change = std::function<void(v1::CreateInstanceRequest&)>;
  struct Row {
    const char* what;
    Change change;
    Reason reason;
    const char* field;
  };
  const Row rows[] = {
      {"no name", [](auto& r) { r.clear_name(); }, Reason::kInvalidField, "name"},
      {"300 characters",
       [](auto& r) { r.set_name(std::string(300, 'a')); },
       Reason::kInvalidField,
       "name"},
      {"no letter in the name", [](auto& r) { r.set_name("---"); }, Reason::kInvalidField, "name"},
      {"not UTF-8", [](auto& r) { r.set_name("a\xff"); }, Reason::kInvalidField, "name"},
      {"unknown datastore",
       [](auto& r) { r.set_datastore("oracle"); },
       Reason::kDatastoreNotFound,
       "datastore"},
      {"unknown version",
       [](auto& r) { r.set_datastore_version("9"); },
       Reason::kVersionUnknown,
       "datastore_version"},
      {"wrong number",
       [](auto& r) {
         r.set_datastore_version("10.11");
         r.set_datastore_version_number("10.11.99");
       },
       Reason::kVersionUnknown,
       "datastore_version"},
      {"inactive version",
       [](auto& r) { r.set_datastore_version("10.6"); },
       Reason::kVersionInactive,
       "datastore_version"},
      {"no flavor", [](auto& r) { r.clear_flavor_id(); }, Reason::kFlavorUnknown, "flavor_id"},
      {"unknown flavor",
       [](auto& r) { r.set_flavor_id("99"); },
       Reason::kFlavorUnknown,
       "flavor_id"},
      {"no volume",
       [](auto& r) { r.set_volume_size_gib(0); },
       Reason::kInvalidField,
       "volume_size_gib"},
      {"negative volume",
       [](auto& r) { r.set_volume_size_gib(-1); },
       Reason::kInvalidField,
       "volume_size_gib"},
      {"too large a volume",
       [](auto& r) { r.set_volume_size_gib(11); },
       Reason::kVolumeTooLarge,
       "volume_size_gib"},
      {"database twice",
       [](auto& r) { r.add_databases()->set_name("shop"); },
       Reason::kInvalidField,
       "databases[1].name"},
      {"reserved database",
       [](auto& r) { r.add_databases()->set_name("MySQL"); },
       Reason::kInvalidField,
       "databases[1].name"},
      {"database without a name",
       [](auto& r) { r.add_databases(); },
       Reason::kInvalidField,
       "databases[1].name"},
      {"reserved user",
       [](auto& r) {
         r.add_users()->set_name("root");
         r.mutable_users(1)->set_password("x");
       },
       Reason::kInvalidField,
       "users[1].name"},
      {"no password",
       [](auto& r) { r.mutable_users(0)->clear_password(); },
       Reason::kInvalidField,
       "users[0].password"},
      {"quote in the host",
       [](auto& r) { r.mutable_users(0)->set_host("a'b"); },
       Reason::kInvalidField,
       "users[0].host"},
      {"user twice",
       [](auto& r) { *r.add_users() = r.users(0); },
       Reason::kInvalidField,
       "users[1].name"},
      {"database of nobody",
       [](auto& r) { r.mutable_users(0)->add_databases("other"); },
       Reason::kInvalidField,
       "users[0].databases[1]"},
      {"two nics",
       [](auto& r) {
         r.add_nics();
         r.add_nics();
       },
       Reason::kInvalidField,
       "nics"},
      {"nic without network",
       [](auto& r) { r.add_nics(); },
       Reason::kInvalidField,
       "nics[0].network_id"},
      {"nic of no uuid",
       [](auto& r) { r.add_nics()->set_network_id("n"); },
       Reason::kInvalidField,
       "nics[0].network_id"},
      {"address without subnet",
       [](auto& r) {
         r.add_nics()->set_network_id("0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11");
         r.mutable_nics(0)->set_ip_address("10.0.0.1");
       },
       Reason::kInvalidField,
       "nics[0].ip_address"},
      {"bad network",
       [](auto& r) { r.mutable_access()->add_allowed_cidrs("10.0.0.0/33"); },
       Reason::kInvalidField,
       "access.allowed_cidrs[0]"},
      {"network twice",
       [](auto& r) {
         r.mutable_access()->add_allowed_cidrs("10.0.0.0/8");
         r.mutable_access()->add_allowed_cidrs("10.0.0.0/8");
       },
       Reason::kInvalidField,
       "access.allowed_cidrs[1]"},
      {"long request id",
       [](auto& r) { r.set_request_id(std::string(129, 'a')); },
       Reason::kInvalidField,
       "request_id"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    v1::CreateInstanceRequest request = GoodRequest();
    row.change(request);
    const auto planned = Plan(request);
    REQUIRE_FALSE(planned.ok());
    CAPTURE(MessageOf(planned.status()));
    CHECK(ReasonOf(planned.status()).reason == row.reason);
    CHECK(FieldOf(planned.status()) == row.field);
  }
}

}  // namespace
}  // namespace trove::api
