#include "services/api/actions.h"

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include "trove/mesh/v1/operation_input.pb.h"
#include "trove/v1/error.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "test/support/eventually.h"
#include "test/unit/api/served_api.h"

namespace trove::api {
namespace {

using Stub = v1::InstanceService::Stub;

std::string FieldOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorDetailUrl);
  v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return "no detail";
  return detail.field_violations().empty() ? "" : detail.field_violations(0).field();
}

mesh::v1::OperationInput InputOf(const Operation& operation) {
  mesh::v1::OperationInput input;
  REQUIRE(input.ParseFromString(operation.input));
  return input;
}

v1::Configuration Group(const Actor& owner, const std::string& version = "10.11") {
  v1::CreateConfigurationRequest request;
  request.set_name("tuned");
  request.set_datastore_version(version);
  (*request.mutable_values())["max_connections"] = "300";
  const auto group = owner(&v1::ConfigurationService::Stub::CreateConfiguration, request);
  INFO(group.status());
  REQUIRE(group.ok());
  return *group;
}

TEST_CASE("every action begins its operation as the lifecycle says", "[unit][api]") {
  using Ask = std::function<absl::StatusOr<v1::Instance>(const Actor&, const std::string& id)>;
  struct Row {
    const char* kind;
    v1::Instance::Status status;
    std::optional<ServiceStatus> service;
    mesh::v1::OperationInput::KindCase input;
    Ask ask;
  };
  const Row rows[] = {
      {"instance.restart",
       v1::Instance::STATUS_REBOOT,
       ServiceStatus::kRestarting,
       mesh::v1::OperationInput::kRestart,
       [](const Actor& as, const std::string& id) {
         return as(&Stub::RestartInstance, On<v1::RestartInstanceRequest>(id));
       }},
      {"instance.stop",
       v1::Instance::STATUS_REBOOT,
       std::nullopt,
       mesh::v1::OperationInput::kStop,
       [](const Actor& as, const std::string& id) {
         return as(&Stub::StopInstance, On<v1::StopInstanceRequest>(id));
       }},
      {"instance.start",
       v1::Instance::STATUS_REBOOT,
       ServiceStatus::kRestarting,
       mesh::v1::OperationInput::kStart,
       [](const Actor& as, const std::string& id) {
         return as(&Stub::StartInstance, On<v1::StartInstanceRequest>(id));
       }},
      {"instance.resize",
       v1::Instance::STATUS_RESIZE,
       std::nullopt,
       mesh::v1::OperationInput::kResize,
       [](const Actor& as, const std::string& id) {
         auto request = On<v1::ResizeInstanceRequest>(id);
         request.set_flavor_id("2");
         return as(&Stub::ResizeInstance, request);
       }},
      {"instance.grow",
       v1::Instance::STATUS_RESIZE,
       std::nullopt,
       mesh::v1::OperationInput::kGrow,
       [](const Actor& as, const std::string& id) {
         auto request = On<v1::GrowVolumeRequest>(id);
         request.set_size_gib(3);
         return as(&Stub::GrowVolume, request);
       }},
      {"instance.attach",
       v1::Instance::STATUS_ACTIVE,
       std::nullopt,
       mesh::v1::OperationInput::kAttach,
       [](const Actor& as, const std::string& id) {
         auto request = On<v1::AttachConfigurationRequest>(id);
         request.set_configuration_id(Group(as).id());
         return as(&Stub::AttachConfiguration, request);
       }},
      {"instance.upgrade",
       v1::Instance::STATUS_UPGRADE,
       ServiceStatus::kRestarting,
       mesh::v1::OperationInput::kUpgrade,
       [](const Actor& as, const std::string& id) {
         auto request = On<v1::UpgradeInstanceRequest>(id);
         request.set_datastore_version(kNewer);
         return as(&Stub::UpgradeInstance, request);
       }},
      {"instance.rebuild",
       v1::Instance::STATUS_BUILD,
       std::nullopt,
       mesh::v1::OperationInput::kRebuild,
       [](const Actor& as, const std::string& id) {
         return as(&Stub::RebuildInstance, On<v1::RebuildInstanceRequest>(id));
       }},
      {"instance.delete",
       v1::Instance::STATUS_SHUTDOWN,
       std::nullopt,
       mesh::v1::OperationInput::kDelete,
       [](const Actor& as, const std::string& id) {
         return as(&Stub::DeleteInstance, On<v1::DeleteInstanceRequest>(id));
       }},
  };
  ServedApi api;
  const Actor admin = api.ActAs("p1", "admin");
  for (const Row& row : rows) {
    CAPTURE(row.kind);
    const v1::Instance active = api.Active("p1");
    const auto answer = row.ask(admin, active.id());
    INFO(answer.status());
    REQUIRE(answer.ok());
    CHECK(answer->status() == row.status);
    CHECK_FALSE(answer->operation_id().empty());
    CHECK(answer->has_reason());
    const auto view =
        api.store().GetInstance(SoonCall(), std::nullopt, InstanceId(active.id())).value();
    CHECK(view.instance.service == row.service.value_or(ServiceStatus::kHealthy));

    const ClaimedOperation claimed = api.ClaimOne();
    CHECK(claimed.operation.id.value() == answer->operation_id());
    CHECK(claimed.operation.kind == row.kind);
    CHECK(claimed.operation.requested_by == "admin@p1");
    CHECK(claimed.operation.deadline > api.clock().Now());
    CHECK(claimed.operation.deadline < absl::InfiniteFuture());
    CHECK_FALSE(claimed.operation.steps.empty());
    CHECK(InputOf(claimed.operation).kind_case() == row.input);
    OperationWrite done{claimed.operation, {BuryInstance{}}, {}, true};
    done.operation.state = OperationState::kSucceeded;
    api.Write(done);
  }
}

TEST_CASE("an operation is told what was asked for", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const v1::Instance active = api.Active("p1");

  auto resize = On<v1::ResizeInstanceRequest>(active.id());
  resize.set_flavor_id("3");
  REQUIRE(owner(&Stub::ResizeInstance, resize).ok());
  const ClaimedOperation resizing = api.ClaimOne();
  const Flavor wanted = DefaultFlavors()[2];
  CHECK(InputOf(resizing.operation).resize().flavor().id() == "3");
  CHECK(InputOf(resizing.operation).resize().flavor().ram_mib() == wanted.ram_mib);
  CHECK(InputOf(resizing.operation).resize().flavor().vcpus() == wanted.vcpus);
  const auto quotas = api.store().GetQuotas(SoonCall(), ProjectId("p1")).value();
  CHECK(quotas[1].reserved == wanted.ram_mib - DefaultFlavors()[0].ram_mib);
  OperationWrite done{resizing.operation, {SetTask{TaskStatus::kNone}}, {}, true};
  done.operation.state = OperationState::kSucceeded;
  api.Write(done);

  const v1::Configuration group = Group(owner);
  auto attach = On<v1::AttachConfigurationRequest>(active.id());
  attach.set_configuration_id(group.id());
  REQUIRE(owner(&Stub::AttachConfiguration, attach).ok());
  const ClaimedOperation attaching = api.ClaimOne();
  CHECK(InputOf(attaching.operation).attach().configuration_id() == group.id());
  CHECK(InputOf(attaching.operation).attach().parameters().at("max_connections") == "300");
  // Held while it is being attached.
  const absl::Status held = owner(&v1::ConfigurationService::Stub::DeleteConfiguration,
                                  On<v1::DeleteConfigurationRequest>(group.id()))
                                .status();
  CHECK(ReasonOf(held).reason == Reason::kOperationRunning);
  done = {attaching.operation,
          {SetTask{TaskStatus::kNone}, SetConfiguration{ConfigurationId(group.id())}},
          {},
          true};
  done.operation.state = OperationState::kSucceeded;
  api.Write(done);

  const auto shown = owner(&Stub::GetInstance, On<v1::GetInstanceRequest>(active.id()));
  REQUIRE(shown.ok());
  CHECK(shown->configuration_id() == group.id());
  CHECK(shown->configuration_name() == "tuned");
  REQUIRE(owner(&Stub::DetachConfiguration, On<v1::DetachConfigurationRequest>(active.id())).ok());
  const ClaimedOperation detaching = api.ClaimOne();
  CHECK(detaching.operation.kind == "instance.detach");
  CHECK(InputOf(detaching.operation).attach().configuration_id().empty());
}

TEST_CASE("an upgrade is told which programs to start", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  auto upgrade = On<v1::UpgradeInstanceRequest>(api.Active("p1").id());
  upgrade.set_datastore_version(VersionIdOf("mariadb", kNewer, kNewer).value());
  REQUIRE(owner(&Stub::UpgradeInstance, upgrade).ok());
  const mesh::v1::UpgradeInput input = InputOf(api.ClaimOne().operation).upgrade();
  CHECK(input.version_id() == upgrade.datastore_version());
  CHECK(input.number() == kNewer);
  CHECK(input.engine() == "/opt/mariadb-11.4");
}

TEST_CASE("a detach without a group is done at once", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const v1::Instance active = api.Active("p1");
  const std::string before = api.Everything("p1");
  const auto answer =
      owner(&Stub::DetachConfiguration, On<v1::DetachConfigurationRequest>(active.id()));
  REQUIRE(answer.ok());
  CHECK(answer->operation_id().empty());
  CHECK(answer->status() == v1::Instance::STATUS_ACTIVE);
  CHECK(api.Everything("p1") == before);
}

TEST_CASE("an action that cannot be is refused with what would be right", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const Actor other = api.ActAs("p2", "member");
  const v1::Instance active = api.Active("p1");
  const std::string foreign = Group(other).id();
  const std::string older = Group(owner, kNewer).id();

  struct Row {
    const char* what;
    absl::Status refused;
    Reason reason;
    const char* field;
    const char* says;
  };
  const auto resize = [&](const std::string& flavor) {
    auto request = On<v1::ResizeInstanceRequest>(active.id());
    request.set_flavor_id(flavor);
    return owner(&Stub::ResizeInstance, request).status();
  };
  const auto grow = [&](int size_gib) {
    auto request = On<v1::GrowVolumeRequest>(active.id());
    request.set_size_gib(size_gib);
    return owner(&Stub::GrowVolume, request).status();
  };
  const auto attach = [&](const std::string& group) {
    auto request = On<v1::AttachConfigurationRequest>(active.id());
    request.set_configuration_id(group);
    return owner(&Stub::AttachConfiguration, request).status();
  };
  const auto upgrade = [&](const std::string& version, const std::string& number = "") {
    auto request = On<v1::UpgradeInstanceRequest>(active.id());
    request.set_datastore_version(version);
    request.set_datastore_version_number(number);
    return owner(&Stub::UpgradeInstance, request).status();
  };
  const Row rows[] = {
      {"the flavor it has", resize("1"), Reason::kInvalidField, "flavor_id", "2, 3, 4"},
      {"no such flavor", resize("99"), Reason::kFlavorUnknown, "flavor_id", "there are: 1"},
      {"no flavor", resize(""), Reason::kFlavorUnknown, "flavor_id", "is needed"},
      {"the size it has", grow(1), Reason::kInvalidField, "size_gib", "1 GiB"},
      {"no size", grow(0), Reason::kInvalidField, "size_gib", "1"},
      {"over the largest", grow(11), Reason::kVolumeTooLarge, "size_gib", "10"},
      {"no group", attach(""), Reason::kInvalidField, "configuration_id", "id of a"},
      {"no such group", attach("nope"), Reason::kConfigurationNotFound, "", "nope"},
      {"a group of another project", attach(foreign), Reason::kConfigurationNotFound, "", ""},
      {"a group of another version",
       attach(older),
       Reason::kConfigurationMismatch,
       "configuration_id",
       "mariadb 10.11"},
      {"no version", upgrade(""), Reason::kInvalidField, "datastore_version", "name"},
      {"no such version", upgrade("9"), Reason::kVersionUnknown, "datastore_version", "11.4"},
      {"no such number",
       upgrade("11.4", "11.4.99"),
       Reason::kVersionUnknown,
       "datastore_version",
       "11.4.99"},
      {"the version it has",
       upgrade("10.11"),
       Reason::kVersionMismatch,
       "datastore_version",
       "later one"},
      {"a version before",
       upgrade(kOlder),
       Reason::kVersionMismatch,
       "datastore_version",
       "cannot go back from 10.11 to 10.6"},
      {"a rebuild by no admin",
       owner(&Stub::RebuildInstance, On<v1::RebuildInstanceRequest>(active.id())).status(),
       Reason::kAdminOnly,
       "",
       "admin"},
      {"another project's instance",
       other(&Stub::StopInstance, On<v1::StopInstanceRequest>(active.id())).status(),
       Reason::kInstanceNotFound,
       "",
       ""},
      {"no instance",
       owner(&Stub::StartInstance, On<v1::StartInstanceRequest>("nope")).status(),
       Reason::kInstanceNotFound,
       "",
       ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what, MessageOf(row.refused));
    CHECK(ReasonOf(row.refused).reason == row.reason);
    CHECK(FieldOf(row.refused) == row.field);
    CHECK(MessageOf(row.refused).find(row.says) != std::string::npos);
  }
  const auto still = owner(&Stub::GetInstance, On<v1::GetInstanceRequest>(active.id()));
  CHECK(still->version() == active.version());
}

TEST_CASE("a second group is not attached over the first", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const v1::Instance active = api.Active("p1");
  const std::string group = Group(owner).id();
  api.Change(active, {SetTask{TaskStatus::kNone}, SetConfiguration{ConfigurationId(group)}});
  for (const std::string& wanted : {group, Group(owner).id()}) {
    auto request = On<v1::AttachConfigurationRequest>(active.id());
    request.set_configuration_id(wanted);
    const absl::Status refused = owner(&Stub::AttachConfiguration, request).status();
    CHECK(ReasonOf(refused).reason == Reason::kInvalidField);
    CHECK(MessageOf(refused).find("detach that first") != std::string::npos);
  }
}

TEST_CASE("a resize beyond the quota is refused", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  for (int i = 0; i < 3; ++i) {
    v1::CreateInstanceRequest large = Orders();
    large.set_volume_size_gib(10);
    REQUIRE(owner(&Stub::CreateInstance, large).ok());
    api.FinishDue({SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kHealthy}});
  }
  const v1::Instance one = api.Active("p1");
  const v1::Instance two = api.Active("p1", "bills");
  auto grow = On<v1::GrowVolumeRequest>(one.id());
  grow.set_size_gib(8);
  REQUIRE(owner(&Stub::GrowVolume, grow).ok());
  grow.set_id(two.id());
  CHECK(ReasonOf(owner(&Stub::GrowVolume, grow).status()).reason == Reason::kQuotaExceeded);
}

TEST_CASE("an instance's state decides what may begin", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("p1", "admin");
  const auto reason = [&](const auto& answer) {
    return answer.ok() ? std::string("OK") : std::string(ReasonOf(answer.status()).name);
  };
  const auto grow = [&](const v1::Instance& instance) {
    auto request = On<v1::GrowVolumeRequest>(instance.id());
    request.set_size_gib(2);
    return reason(admin(&Stub::GrowVolume, request));
  };
  const auto restart = [&](const v1::Instance& instance) {
    return reason(admin(&Stub::RestartInstance, On<v1::RestartInstanceRequest>(instance.id())));
  };
  const auto stop = [&](const v1::Instance& instance) {
    return reason(admin(&Stub::StopInstance, On<v1::StopInstanceRequest>(instance.id())));
  };
  const auto attach = [&](const v1::Instance& instance) {
    auto request = On<v1::AttachConfigurationRequest>(instance.id());
    request.set_configuration_id(Group(admin).id());
    return reason(admin(&Stub::AttachConfiguration, request));
  };

  SECTION("while it is built") {
    const auto built = admin(&Stub::CreateInstance, Orders());
    REQUIRE(built.ok());
    CHECK(restart(*built) == "WRONG_STATE");
    CHECK(grow(*built) == "WRONG_STATE");
    CHECK(stop(*built) == "WRONG_STATE");
    CHECK(attach(*built) == "NOT_CONFIGURABLE");
  }
  SECTION("while another operation runs") {
    const v1::Instance active = api.Active("p1");
    CHECK(stop(active) == "OK");
    CHECK(stop(active) == "OPERATION_RUNNING");
    CHECK(restart(active) == "WRONG_STATE");
    CHECK(attach(active) == "NOT_CONFIGURABLE");
  }
  SECTION("while it waits for a restart") {
    const v1::Instance active = api.Active("p1");
    api.Change(active, {SetTask{TaskStatus::kRestartRequired}});
    CHECK(attach(active) == "NOT_CONFIGURABLE");
    CHECK(restart(active) == "OK");
  }
  SECTION("while it is stopped") {
    const v1::Instance active = api.Active("p1");
    api.Change(active, {SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kShutdown}});
    CHECK(restart(active) == "OK");
  }
  SECTION("when something failed") {
    const v1::Instance active = api.Active("p1");
    api.Change(active, {SetTask{TaskStatus::kUpgradingError}});
    CHECK(restart(active) == "WRONG_STATE");
    CHECK(stop(active) == "OK");
  }
}

TEST_CASE("a delete takes the place of what runs", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const v1::Instance active = api.Active("p1");
  const auto stopping = owner(&Stub::StopInstance, On<v1::StopInstanceRequest>(active.id()));
  REQUIRE(stopping.ok());
  const auto deleting = owner(&Stub::DeleteInstance, On<v1::DeleteInstanceRequest>(active.id()));
  REQUIRE(deleting.ok());
  const auto was = owner(&v1::OperationService::Stub::GetOperation,
                         On<v1::GetOperationRequest>(stopping->operation_id()));
  REQUIRE(was.ok());
  CHECK(was->state() == v1::Operation::STATE_CANCELLED);
}

TEST_CASE("an action wakes the task managers", "[unit][api]") {
  ServedApi api;
  std::atomic<int> woken = 0;
  const auto subscription =
      api.bus().Subscribe(SoonCall(), TaskWakeSubject(), {}, [&](const BusMessage&) { ++woken; });
  REQUIRE(subscription.ok());
  const v1::Instance active = api.Active("p1");
  REQUIRE(Eventually(absl::Seconds(5), [&] { return woken == 1; }));
  const Actor owner = api.ActAs("p1", "member");
  REQUIRE(owner(&Stub::StopInstance, On<v1::StopInstanceRequest>(active.id())).ok());
  CHECK(Eventually(absl::Seconds(5), [&] { return woken == 2; }));
}

}  // namespace
}  // namespace trove::api
