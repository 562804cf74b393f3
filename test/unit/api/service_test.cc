#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/model/errors.h"
#include "test/unit/api/served_api.h"

namespace trove::api {
namespace {

TEST_CASE("a tenant creates, sees, renames and deletes an instance", "[unit][api]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  const auto created = tenant.CreateInstance(SoonCall(), Orders());
  REQUIRE(created.ok());
  CHECK(created->status() == v1::Instance::STATUS_BUILD);
  CHECK(created->project_id() == "p1");
  CHECK(created->datastore_name() == "mariadb");
  CHECK_FALSE(created->operation_id().empty());
  CHECK(created->has_reason());

  const auto operation = tenant.GetOperation(SoonCall(), created->operation_id());
  REQUIRE(operation.ok());
  CHECK(operation->kind() == "instance.create");
  CHECK(operation->state() == v1::Operation::STATE_PENDING);

  const auto renamed = tenant.RenameInstance(SoonCall(), created->id(), "bills");
  REQUIRE(renamed.ok());
  CHECK(renamed->name() == "bills");
  const auto found = tenant.FindInstance(SoonCall(), "bills");
  REQUIRE(found.ok());
  CHECK(found->id() == created->id());

  const auto deleted = tenant.DeleteInstance(SoonCall(), created->id());
  REQUIRE(deleted.ok());
  CHECK(deleted->status() == v1::Instance::STATUS_SHUTDOWN);
  CHECK(deleted->operation_id() != created->operation_id());
  const auto again = tenant.DeleteInstance(SoonCall(), created->id());
  REQUIRE(again.ok());
  CHECK(again->operation_id() == deleted->operation_id());
}

TEST_CASE("a password reaches the store sealed alone", "[unit][api]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  REQUIRE(tenant.CreateInstance(SoonCall(), Orders()).ok());
  REQUIRE(api.store().RenewWorker(SoonCall(), WorkerId("w"), absl::Seconds(10)).ok());
  const auto claims = api.store().ClaimDue(SoonCall(), WorkerId("w"), {.operations = 10});
  REQUIRE(claims.ok());
  REQUIRE(claims->operations.size() == 1);
  const std::string& input = claims->operations[0].operation.input;
  CHECK_FALSE(input.empty());
  CHECK(input.find("s3cr3t-in-clear") == std::string::npos);
}

TEST_CASE("without a good token there is nothing", "[unit][api]") {
  ServedApi api;
  client::Client nobody = api.WithToken(Secret());
  client::Client stranger = api.WithToken(Secret("trv_nonsense"));
  for (client::Client* client : {&nobody, &stranger}) {
    const absl::Status status = client->ListInstances(SoonCall()).status();
    CHECK(absl::IsUnauthenticated(status));
    CHECK(ReasonOf(status).reason == Reason::kUnauthenticated);
  }
}

TEST_CASE("another project's instance is not found, but for an admin", "[unit][api]") {
  ServedApi api;
  client::Client owner = api.As("p1", "member");
  client::Client other = api.As("p2", "member");
  client::Client admin = api.As("ops", "admin");
  const auto created = owner.CreateInstance(SoonCall(), Orders());
  REQUIRE(created.ok());
  CHECK(ReasonOf(other.GetInstance(SoonCall(), created->id()).status()).reason ==
        Reason::kInstanceNotFound);
  CHECK(ReasonOf(other.DeleteInstance(SoonCall(), created->id()).status()).reason ==
        Reason::kInstanceNotFound);
  CHECK(ReasonOf(other.GetOperation(SoonCall(), created->operation_id()).status()).reason ==
        Reason::kOperationNotFound);
  CHECK(other.ListInstances(SoonCall())->empty());
  CHECK(admin.GetInstance(SoonCall(), created->id()).ok());
  CHECK(admin.ListInstances(SoonCall())->empty());
}

TEST_CASE("a reader reads and changes nothing", "[unit][api]") {
  ServedApi api;
  client::Client reader = api.As("p1", "reader");
  CHECK(reader.ListInstances(SoonCall()).ok());
  CHECK(reader.ListFlavors(SoonCall()).ok());
  CHECK(absl::IsPermissionDenied(reader.CreateInstance(SoonCall(), Orders()).status()));
}

TEST_CASE("a retry with the same request id creates nothing twice", "[unit][api]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  v1::CreateInstanceRequest request = Orders();
  request.set_request_id("once");
  const auto one = tenant.CreateInstance(SoonCall(), request);
  const auto two = tenant.CreateInstance(SoonCall(), request);
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(one->id() == two->id());
  CHECK(tenant.ListInstances(SoonCall())->size() == 1);
  request.set_name("something else");
  CHECK(ReasonOf(tenant.CreateInstance(SoonCall(), request).status()).reason ==
        Reason::kRequestIdReused);
}

TEST_CASE("what is being built cannot be restarted", "[unit][api]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  const auto created = tenant.CreateInstance(SoonCall(), Orders());
  REQUIRE(created.ok());
  const absl::Status status = tenant.RestartInstance(SoonCall(), created->id()).status();
  CHECK(absl::IsFailedPrecondition(status));
}

TEST_CASE("quotas are kept and shown", "[unit][api]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  v1::CreateInstanceRequest large = Orders();
  large.set_volume_size_gib(10);
  for (int i = 0; i < 4; ++i)
    REQUIRE(tenant.CreateInstance(SoonCall(), large).ok());
  const absl::Status status = tenant.CreateInstance(SoonCall(), large).status();
  CHECK(ReasonOf(status).reason == Reason::kQuotaExceeded);
  const auto limits = tenant.GetLimits(SoonCall());
  REQUIRE(limits.ok());
  REQUIRE(limits->quotas_size() == 4);
  CHECK(limits->quotas(0).resource() == "instances");
  CHECK(limits->quotas(0).in_use() == 4);
  CHECK(limits->quotas(2).in_use() == 40);
}

TEST_CASE("a watch shows an operation to its end", "[unit][api]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  const auto created = tenant.CreateInstance(SoonCall(), Orders());
  REQUIRE(created.ok());
  REQUIRE(api.store().RenewWorker(SoonCall(), WorkerId("w"), absl::Seconds(10)).ok());
  std::vector<v1::Operation::State> seen;
  bool acted = false;
  const auto ended =
      tenant.WatchOperation(SoonCall(), created->operation_id(), [&](const v1::Operation& now) {
        seen.push_back(now.state());
        if (acted) return;
        acted = true;
        auto claims = api.store().ClaimDue(SoonCall(), WorkerId("w"), {});
        if (!claims.ok() || claims->operations.empty()) return;
        Operation operation = claims->operations[0].operation;
        operation.state = OperationState::kFailed;
        operation.error = "for the test";
        api.store()
            .WriteOperation(SoonCall(), WorkerId("w"), {.operation = operation})
            .status()
            .IgnoreError();  // the watch shows it
      });
  REQUIRE(ended.ok());
  CHECK(ended->state() == v1::Operation::STATE_FAILED);
  CHECK(ended->error() == "for the test");
  REQUIRE(seen.size() >= 2);
  CHECK(seen.front() == v1::Operation::STATE_PENDING);
}

TEST_CASE("an admin gives out tokens that work", "[unit][api]") {
  ServedApi api;
  client::Client admin = api.As("ops", "admin");
  v1::CreateTokenRequest request;
  request.set_project_id("fresh");
  request.set_role("member");
  const auto token = admin.CreateToken(SoonCall(), request);
  REQUIRE(token.ok());
  client::Client member = api.WithToken(Secret(token->token()));
  CHECK(member.ListInstances(SoonCall()).ok());
  CHECK(absl::IsPermissionDenied(member.CreateToken(SoonCall(), request).status()));
  request.set_role("king");
  CHECK(ReasonOf(admin.CreateToken(SoonCall(), request).status()).reason == Reason::kInvalidField);
}

TEST_CASE("any method can be called in JSON by reflection", "[unit][api][client]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  const auto services = tenant.ListServices(SoonCall());
  REQUIRE(services.ok());
  CHECK(std::find(services->begin(), services->end(), "trove.v1.InstanceService") !=
        services->end());
  const auto flavors =
      tenant.CallJson(SoonCall(), "trove.v1.FlavorService/GetFlavor", R"({"id": "2"})");
  REQUIRE(flavors.ok());
  REQUIRE(flavors->size() == 1);
  CHECK(flavors->front().find("\"db.small\"") != std::string::npos);
  CHECK(
      absl::IsNotFound(tenant.CallJson(SoonCall(), "trove.v1.FlavorService/Nope", "{}").status()));
  CHECK(absl::IsInvalidArgument(
      tenant.CallJson(SoonCall(), "trove.v1.FlavorService/GetFlavor", R"({"nope": 1})").status()));
  CHECK(absl::IsInvalidArgument(tenant.CallJson(SoonCall(), "nonsense", "{}").status()));
  CHECK(absl::IsNotFound(
      tenant.CallJson(SoonCall(), "trove.v1.FlavorService/GetFlavor", R"({"id": "77"})").status()));
}

}  // namespace
}  // namespace trove::api
