#include <string>

#include <catch2/catch.hpp>
#include <google/protobuf/util/message_differencer.h>

#include "libtrove/model/errors.h"
#include "test/unit/api/served_api.h"

namespace trove::api {
namespace {

using Instances = v1::InstanceService::Stub;

// Asks twice with one request id: the second answer is the first one.
template <typename Method, typename Request>
auto Twice(const Actor& as, Method method, Request request, const std::string& request_id) {
  request.set_request_id(request_id);
  const auto first = as(method, request);
  INFO(first.status());
  REQUIRE(first.ok());
  const auto second = as(method, request);
  INFO(second.status());
  REQUIRE(second.ok());
  CHECK(google::protobuf::util::MessageDifferencer::Equals(*second, *first));
  return *first;
}

Reason ReasonOfAnswer(const auto& answer) {
  return ReasonOf(answer.status()).reason;
}

TEST_CASE("every change can be asked for twice and is made once", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("p1", "admin");
  const auto created = Twice(admin, &Instances::CreateInstance, Orders(), "create");
  const std::string id = created.id();
  api.FinishDue({SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kHealthy}});

  v1::UpdateInstanceRequest rename;
  rename.mutable_instance()->set_id(id);
  rename.mutable_instance()->set_name("bills");
  rename.mutable_update_mask()->add_paths("name");
  Twice(admin, &Instances::UpdateInstance, rename, "rename");

  const auto finish = [&](const Effect& effect) {
    api.FinishDue({SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kHealthy}, effect});
  };
  Twice(admin, &Instances::RestartInstance, On<v1::RestartInstanceRequest>(id), "restart");
  finish(EraseInput{});
  Twice(admin, &Instances::StopInstance, On<v1::StopInstanceRequest>(id), "stop");
  finish(EraseInput{});
  Twice(admin, &Instances::StartInstance, On<v1::StartInstanceRequest>(id), "start");
  finish(EraseInput{});
  auto resize = On<v1::ResizeInstanceRequest>(id);
  resize.set_flavor_id("2");
  Twice(admin, &Instances::ResizeInstance, resize, "resize");
  finish(SetFlavor{FlavorId("2")});
  auto grow = On<v1::GrowVolumeRequest>(id);
  grow.set_size_gib(2);
  Twice(admin, &Instances::GrowVolume, grow, "grow");
  finish(SetVolumeSize{2});

  v1::CreateConfigurationRequest tuned;
  tuned.set_name("tuned");
  (*tuned.mutable_values())["max_connections"] = "300";
  (*tuned.mutable_values())["wait_timeout"] = "60";
  const auto group =
      Twice(admin, &v1::ConfigurationService::Stub::CreateConfiguration, tuned, "group");
  auto attach = On<v1::AttachConfigurationRequest>(id);
  attach.set_configuration_id(group.id());
  Twice(admin, &Instances::AttachConfiguration, attach, "attach");
  finish(SetConfiguration{ConfigurationId(group.id())});
  Twice(admin, &Instances::DetachConfiguration, On<v1::DetachConfigurationRequest>(id), "detach");
  finish(SetConfiguration{});
  Twice(admin,
        &v1::ConfigurationService::Stub::DeleteConfiguration,
        On<v1::DeleteConfigurationRequest>(group.id()),
        "ungroup");

  auto upgrade = On<v1::UpgradeInstanceRequest>(id);
  upgrade.set_datastore_version(kNewer);
  Twice(admin, &Instances::UpgradeInstance, upgrade, "upgrade");
  finish(SetVersion{VersionIdOf("mariadb", kNewer, kNewer)});
  Twice(admin, &Instances::RebuildInstance, On<v1::RebuildInstanceRequest>(id), "rebuild");
  finish(EraseInput{});
  const auto deleting =
      Twice(admin, &Instances::DeleteInstance, On<v1::DeleteInstanceRequest>(id), "delete");
  api.FinishDue({BuryInstance{}});

  // All are over, and what they would find has changed: the first answers stand, also those of
  // requests that would be refused by now.
  const auto again = [&](auto method, auto request, const std::string& request_id) {
    request.set_request_id(request_id);
    const auto answer = admin(method, request);
    INFO(request_id << ": " << answer.status());
    REQUIRE(answer.ok());
    return *answer;
  };
  CHECK(again(&Instances::CreateInstance, Orders(), "create").SerializeAsString() ==
        created.SerializeAsString());
  CHECK(again(&Instances::UpdateInstance, rename, "rename").name() == "bills");
  CHECK(again(&Instances::ResizeInstance, resize, "resize").status() ==
        v1::Instance::STATUS_RESIZE);
  CHECK(again(&Instances::GrowVolume, grow, "grow").status() == v1::Instance::STATUS_RESIZE);
  CHECK(again(&Instances::AttachConfiguration, attach, "attach").id() == id);
  CHECK(again(&Instances::UpgradeInstance, upgrade, "upgrade").status() ==
        v1::Instance::STATUS_UPGRADE);
  CHECK(again(&Instances::DeleteInstance, On<v1::DeleteInstanceRequest>(id), "delete")
            .SerializeAsString() == deleting.SerializeAsString());
  CHECK(again(&v1::ConfigurationService::Stub::CreateConfiguration, tuned, "group").id() ==
        group.id());

  // Each was done once.
  v1::ListOperationsRequest operations;
  operations.set_page_size(100);
  CHECK(admin(&v1::OperationService::Stub::ListOperations, operations)->operations_size() == 11);
}

TEST_CASE("a cancel and a retry can be asked for twice", "[unit][api]") {
  ServedApi api;
  using Stub = v1::OperationService::Stub;
  const Actor owner = api.ActAs("p1", "member");
  const auto created = owner(&Instances::CreateInstance, Orders());
  REQUIRE(created.ok());
  api.FinishDue({SetTask{TaskStatus::kBuildingErrorServer}}, OperationState::kFailed);
  auto retry = On<v1::RetryOperationRequest>(created->operation_id());
  retry.set_request_id("retry");
  REQUIRE(owner(&Stub::RetryOperation, retry).ok());
  const auto second = owner(&Stub::RetryOperation, retry);
  INFO(second.status());
  REQUIRE(second.ok());
  CHECK(second->retries() == 1);

  auto cancel = On<v1::CancelOperationRequest>(created->operation_id());
  cancel.set_request_id("cancel");
  REQUIRE(owner(&Stub::CancelOperation, cancel).ok());
  api.FinishDue({SetTask{TaskStatus::kBuildingErrorServer}}, OperationState::kCancelled);
  CHECK(owner(&Stub::CancelOperation, cancel).ok());
  cancel.set_request_id("another");
  CHECK(ReasonOfAnswer(owner(&Stub::CancelOperation, cancel)) == Reason::kOperationEnded);
}

TEST_CASE("a request id stands for one request", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  v1::CreateInstanceRequest request = Orders();
  request.set_request_id("once");
  REQUIRE(owner(&Instances::CreateInstance, request).ok());

  v1::CreateInstanceRequest other = request;
  other.set_name("something else");
  CHECK(ReasonOfAnswer(owner(&Instances::CreateInstance, other)) == Reason::kRequestIdReused);
  other = request;
  other.mutable_users(0)->set_password("another one");
  CHECK(ReasonOfAnswer(owner(&Instances::CreateInstance, other)) == Reason::kRequestIdReused);
  auto stop = On<v1::StopInstanceRequest>("any");
  stop.set_request_id("once");
  CHECK(ReasonOfAnswer(owner(&Instances::StopInstance, stop)) == Reason::kRequestIdReused);
  // Somebody else of the project.
  CHECK(ReasonOfAnswer(api.ActAs("p1", "admin")(&Instances::CreateInstance, request)) ==
        Reason::kRequestIdReused);
  // Another project has its own.
  CHECK(api.ActAs("p2", "member")(&Instances::CreateInstance, request).ok());

  // It is forgotten after a day.
  api.clock().Advance(absl::Hours(25));
  CHECK(owner(&Instances::CreateInstance, request).ok());
  CHECK(owner(&Instances::ListInstances, {})->instances_size() == 2);
}

TEST_CASE("a bad request id is refused", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  v1::CreateInstanceRequest request = Orders();
  request.set_request_id(std::string(129, 'a'));
  CHECK(ReasonOfAnswer(owner(&Instances::CreateInstance, request)) == Reason::kInvalidField);
  auto stop = On<v1::StopInstanceRequest>("any");
  stop.set_request_id("two\nlines");
  CHECK(ReasonOfAnswer(owner(&Instances::StopInstance, stop)) == Reason::kInvalidField);
}

TEST_CASE("a plan uses up no request id", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  v1::CreateInstanceRequest request = Orders();
  request.set_request_id("once");
  request.set_validate_only(true);
  CHECK(owner(&Instances::CreateInstance, request)->has_plan());
  request.set_validate_only(false);
  const auto created = owner(&Instances::CreateInstance, request);
  INFO(created.status());
  REQUIRE(created.ok());
  CHECK_FALSE(created->has_plan());
  CHECK_FALSE(created->id().empty());
}

TEST_CASE("a token that was asked for twice is the same, and kept sealed", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  v1::CreateTokenRequest request;
  request.set_project_id("fresh");
  request.set_role("member");
  const auto token = Twice(admin, &v1::TokenService::Stub::CreateToken, request, "token");
  CHECK(api.ActWith(Secret(token.token()))(&Instances::ListInstances, {}).ok());
  request.set_request_id("token");
  request.set_role("reader");
  CHECK(ReasonOfAnswer(admin(&v1::TokenService::Stub::CreateToken, request)) ==
        Reason::kRequestIdReused);
  request.clear_request_id();
  const auto one = admin(&v1::TokenService::Stub::CreateToken, request);
  const auto two = admin(&v1::TokenService::Stub::CreateToken, request);
  CHECK(one->token() != two->token());
}

TEST_CASE("the answer with a token is kept sealed", "[unit][api]") {
  ServedApi api;
  AuditLog audit(api.store(), Log(), {});
  const Requests requests(api.store(), api.key(), audit);
  v1::CreateTokenRequest request;
  request.set_project_id("fresh");
  request.set_role("member");
  request.set_request_id("token");
  const auto token = api.ActAs("ops", "admin")(&v1::TokenService::Stub::CreateToken, request);
  REQUIRE(token.ok());
  const Caller caller{.project_id = ProjectId("ops"),
                      .user = "admin@ops",
                      .roles = {"admin"},
                      .address = {},
                      .action = Action::kCreateToken};
  const auto requester = requests.Ask(caller, request);
  REQUIRE(requester.ok());
  const auto kept = requests.FindAnswer(SoonCall(), caller, *requester, "projects/fresh");
  INFO(kept.status());
  REQUIRE(kept.ok());
  REQUIRE(kept->has_value());
  CHECK_FALSE((*kept)->answer.empty());
  CHECK((*kept)->answer.find(token->token()) == std::string::npos);
}

}  // namespace
}  // namespace trove::api
