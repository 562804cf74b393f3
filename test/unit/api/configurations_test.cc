#include <string>

#include <catch2/catch.hpp>

#include "trove/v1/error.pb.h"

#include "libtrove/model/errors.h"
#include "test/unit/api/served_api.h"

namespace trove::api {
namespace {

using Stub = v1::ConfigurationService::Stub;

v1::CreateConfigurationRequest Tuned() {
  v1::CreateConfigurationRequest request;
  request.set_name("tuned");
  request.set_description("for the shop");
  (*request.mutable_values())["max_connections"] = "300";
  return request;
}

TEST_CASE("a tenant makes, sees and deletes a configuration group", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const auto made = owner(&Stub::CreateConfiguration, Tuned());
  INFO(made.status());
  REQUIRE(made.ok());
  CHECK(made->name() == "tuned");
  CHECK(made->description() == "for the shop");
  CHECK(made->project_id() == "p1");
  CHECK(made->datastore_name() == "mariadb");
  CHECK(made->version_name() == "10.11");
  CHECK(made->values().at("max_connections") == "300");
  CHECK(made->instance_count() == 0);
  CHECK(made->has_created_at());

  const auto shown = owner(&Stub::GetConfiguration, On<v1::GetConfigurationRequest>(made->id()));
  REQUIRE(shown.ok());
  CHECK(shown->values().at("max_connections") == "300");
  CHECK(shown->created_at().seconds() == made->created_at().seconds());
  v1::ListConfigurationsRequest page;
  page.set_page_size(1);
  REQUIRE(owner(&Stub::CreateConfiguration, Tuned()).ok());
  const auto first = owner(&Stub::ListConfigurations, page);
  REQUIRE(first.ok());
  REQUIRE(first->configurations_size() == 1);
  CHECK(first->configurations(0).values().empty());
  CHECK_FALSE(first->next_page_token().empty());
  page.set_page_token(first->next_page_token());
  const auto second = owner(&Stub::ListConfigurations, page);
  REQUIRE(second->configurations_size() == 1);
  CHECK(second->next_page_token().empty());

  REQUIRE(owner(&Stub::DeleteConfiguration, On<v1::DeleteConfigurationRequest>(made->id())).ok());
  CHECK(
      ReasonOf(owner(&Stub::GetConfiguration, On<v1::GetConfigurationRequest>(made->id())).status())
          .reason == Reason::kConfigurationNotFound);
}

TEST_CASE("a bad configuration group is refused value by value", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const auto reason = [&](const v1::CreateConfigurationRequest& request) {
    return ReasonOf(owner(&Stub::CreateConfiguration, request).status()).reason;
  };
  v1::CreateConfigurationRequest request = Tuned();
  request.set_name("");
  CHECK(reason(request) == Reason::kInvalidField);
  request = Tuned();
  request.set_description(std::string(2000, 'a'));
  CHECK(reason(request) == Reason::kInvalidField);
  request = Tuned();
  request.set_datastore("oracle");
  CHECK(reason(request) == Reason::kDatastoreNotFound);
  request = Tuned();
  request.set_datastore_version("9");
  CHECK(reason(request) == Reason::kVersionUnknown);

  request = Tuned();
  (*request.mutable_values())["max_connections"] = "\"many\"";
  (*request.mutable_values())["no_such_parameter"] = "1";
  const absl::Status refused = owner(&Stub::CreateConfiguration, request).status();
  CHECK(ReasonOf(refused).reason == Reason::kConfigurationInvalid);
  v1::ErrorDetail detail;
  REQUIRE(detail.ParseFromString(std::string(*refused.GetPayload(kErrorDetailUrl))));
  REQUIRE(detail.field_violations_size() == 2);
  CHECK(detail.field_violations(0).field() == "values.max_connections");
  CHECK(detail.field_violations(1).field() == "values.no_such_parameter");
  CHECK(owner(&Stub::ListConfigurations, {})->configurations().empty());
}

TEST_CASE("a configuration group is its project's", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const Actor other = api.ActAs("p2", "member");
  const Actor reader = api.ActAs("p1", "reader");
  const Actor admin = api.ActAs("ops", "admin");
  const auto made = owner(&Stub::CreateConfiguration, Tuned());
  REQUIRE(made.ok());
  const auto get = On<v1::GetConfigurationRequest>(made->id());
  const auto remove = On<v1::DeleteConfigurationRequest>(made->id());
  CHECK(ReasonOf(other(&Stub::GetConfiguration, get).status()).reason ==
        Reason::kConfigurationNotFound);
  CHECK(ReasonOf(other(&Stub::DeleteConfiguration, remove).status()).reason ==
        Reason::kConfigurationNotFound);
  CHECK(other(&Stub::ListConfigurations, {})->configurations().empty());
  CHECK(reader(&Stub::GetConfiguration, get).ok());
  CHECK(absl::IsPermissionDenied(reader(&Stub::DeleteConfiguration, remove).status()));
  CHECK(admin(&Stub::GetConfiguration, get).ok());
}

TEST_CASE("a configuration group that is used stays", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const auto made = owner(&Stub::CreateConfiguration, Tuned());
  REQUIRE(made.ok());
  v1::CreateInstanceRequest create = Orders();
  create.set_configuration_id(made->id());
  const auto instance = owner(&v1::InstanceService::Stub::CreateInstance, create);
  INFO(instance.status());
  REQUIRE(instance.ok());
  CHECK(instance->configuration_id() == made->id());
  CHECK(instance->configuration_name() == "tuned");
  api.FinishDue({SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kHealthy}});
  CHECK(owner(&Stub::GetConfiguration, On<v1::GetConfigurationRequest>(made->id()))
            ->instance_count() == 1);
  CHECK(ReasonOf(owner(&Stub::DeleteConfiguration, On<v1::DeleteConfigurationRequest>(made->id()))
                     .status())
            .reason == Reason::kConfigurationInUse);
  create.set_configuration_id("nope");
  CHECK(ReasonOf(owner(&v1::InstanceService::Stub::CreateInstance, create).status()).reason ==
        Reason::kConfigurationNotFound);
}

}  // namespace
}  // namespace trove::api
