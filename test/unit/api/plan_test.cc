#include <functional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/model/errors.h"
#include "libtrove/model/workflow_outline.h"
#include "test/unit/api/served_api.h"

namespace trove::api {
namespace {

using Stub = v1::InstanceService::Stub;

template <typename Request>
Request PlanOf(const std::string& id) {
  auto request = On<Request>(id);
  request.set_validate_only(true);
  request.set_request_id("only-asked");
  return request;
}

// Every request that can be planned, for an active instance.
std::vector<absl::StatusOr<v1::Instance>> EveryPlan(const Actor& as,
                                                    const std::string& id,
                                                    const std::string& group) {
  v1::CreateInstanceRequest create = Orders();
  create.set_validate_only(true);
  create.set_configuration_id(group);
  auto resize = PlanOf<v1::ResizeInstanceRequest>(id);
  resize.set_flavor_id("2");
  auto grow = PlanOf<v1::GrowVolumeRequest>(id);
  grow.set_size_gib(5);
  auto attach = PlanOf<v1::AttachConfigurationRequest>(id);
  attach.set_configuration_id(group);
  auto upgrade = PlanOf<v1::UpgradeInstanceRequest>(id);
  upgrade.set_datastore_version(kNewer);
  return {as(&Stub::CreateInstance, create),
          as(&Stub::ResizeInstance, resize),
          as(&Stub::GrowVolume, grow),
          as(&Stub::AttachConfiguration, attach),
          as(&Stub::UpgradeInstance, upgrade),
          as(&Stub::RestartInstance, PlanOf<v1::RestartInstanceRequest>(id)),
          as(&Stub::StopInstance, PlanOf<v1::StopInstanceRequest>(id)),
          as(&Stub::StartInstance, PlanOf<v1::StartInstanceRequest>(id)),
          as(&Stub::RebuildInstance, PlanOf<v1::RebuildInstanceRequest>(id)),
          as(&Stub::DeleteInstance, PlanOf<v1::DeleteInstanceRequest>(id))};
}

std::string NewGroup(const Actor& owner) {
  v1::CreateConfigurationRequest request;
  request.set_name("tuned");
  const auto group = owner(&v1::ConfigurationService::Stub::CreateConfiguration, request);
  REQUIRE(group.ok());
  return group->id();
}

TEST_CASE("a plan says what would be done and changes nothing", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("p1", "admin");
  const v1::Instance active = api.Active("p1");
  const std::string group = NewGroup(admin);
  const std::string before = api.Everything("p1");
  const auto plans = EveryPlan(admin, active.id(), group);
  CHECK(api.Everything("p1") == before);
  for (const auto& answer : plans) {
    INFO(answer.status());
    REQUIRE(answer.ok());
    const v1::OperationPlan& plan = answer->plan();
    CAPTURE(plan.kind());
    const WorkflowOutline* outline = FindOutline(plan.kind());
    REQUIRE(outline != nullptr);
    REQUIRE(plan.steps_size() == static_cast<int>(outline->steps.size()));
    for (int i = 0; i < plan.steps_size(); ++i) {
      const StepOutline& step = outline->steps[static_cast<std::size_t>(i)];
      CHECK(plan.steps(i).name() == step.name);
      CHECK(plan.steps(i).title() == step.title);
      CHECK(plan.steps(i).downtime() == step.downtime);
      CHECK(plan.steps(i).point_of_no_return() == step.point_of_no_return);
    }
    if (plan.kind() == "instance.create") {
      CHECK(answer->id().empty());
    } else {
      CHECK(answer->id() == active.id());
      CHECK(answer->version() == active.version());
      CHECK(answer->operation_id().empty());
    }
  }
  CHECK(plans[0]->plan().kind() == "instance.create");
  CHECK(plans[9]->plan().kind() == "instance.delete");
}

TEST_CASE("a plan says what it does to the quotas", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("p1", "admin");
  const v1::Instance active = api.Active("p1");
  const auto plans = EveryPlan(admin, active.id(), NewGroup(admin));
  const auto effects = [](const v1::OperationPlan& plan) {
    std::string text;
    for (const v1::OperationPlan::QuotaEffect& effect : plan.quota())
      text += effect.resource() + " " + std::to_string(effect.change()) + " -> " +
              std::to_string(effect.in_use_after()) + " of " + std::to_string(effect.limit()) +
              "; ";
    return text;
  };
  CHECK(effects(plans[0]->plan()) ==
        "instances 1 -> 2 of 10; ram 512 -> 1024 of -1; volumes 1 -> 2 of 40; ");
  CHECK(effects(plans[1]->plan()) == "ram 1536 -> 2048 of -1; ");
  CHECK(effects(plans[2]->plan()) == "volumes 4 -> 5 of 40; ");
  CHECK(effects(plans[5]->plan()).empty());
  CHECK(effects(plans[9]->plan()) ==
        "instances -1 -> 0 of 10; ram -512 -> 0 of -1; volumes -1 -> 0 of 40; ");
}

TEST_CASE("a plan expects what was measured lately", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("p1", "admin");
  const v1::Instance active = api.Active("p1");
  const auto plan = [&] {
    const auto answer =
        admin(&Stub::RestartInstance, PlanOf<v1::RestartInstanceRequest>(active.id()));
    REQUIRE(answer.ok());
    return answer->plan();
  };
  const v1::OperationPlan unknown = plan();
  CHECK(unknown.measured() == 0);
  CHECK_FALSE(unknown.has_expected_downtime());
  CHECK_FALSE(unknown.steps(0).has_expected());

  for (const int seconds : {2, 30, 4}) {
    REQUIRE(admin(&Stub::RestartInstance, On<v1::RestartInstanceRequest>(active.id())).ok());
    const ClaimedOperation claimed = api.ClaimOne();
    OperationWrite write{claimed.operation,
                         {SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kHealthy}},
                         {},
                         true};
    write.operation.state = OperationState::kSucceeded;
    write.operation.current_step = 2;
    for (StepRecord& step : write.operation.steps) {
      step.state = StepState::kDone;
      step.attempts = 1;
      step.started_at = api.clock().Now();
      step.finished_at = api.clock().Now() + absl::Seconds(seconds);
    }
    api.Write(write);
    api.clock().Advance(absl::Seconds(60));
  }
  const v1::OperationPlan known = plan();
  CHECK(known.measured() == 3);
  CHECK(known.steps(0).expected().seconds() == 4);
  CHECK(known.expected_downtime().seconds() == 4);

  auto grow = PlanOf<v1::GrowVolumeRequest>(active.id());
  grow.set_size_gib(2);
  const auto online = admin(&Stub::GrowVolume, grow);
  REQUIRE(online.ok());
  REQUIRE(online->plan().has_expected_downtime());
  CHECK(online->plan().expected_downtime().seconds() == 0);
}

TEST_CASE("a plan is refused as the request would be", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const Actor reader = api.ActAs("p1", "reader");
  const v1::Instance active = api.Active("p1");
  const auto reason = [](const auto& answer) {
    return ReasonOf(answer.status()).reason;
  };

  CHECK(reason(reader(&Stub::StopInstance, PlanOf<v1::StopInstanceRequest>(active.id()))) ==
        Reason::kPermissionDenied);
  CHECK(reason(owner(&Stub::RebuildInstance, PlanOf<v1::RebuildInstanceRequest>(active.id()))) ==
        Reason::kAdminOnly);
  auto resize = PlanOf<v1::ResizeInstanceRequest>(active.id());
  resize.set_flavor_id("1");
  CHECK(reason(owner(&Stub::ResizeInstance, resize)) == Reason::kInvalidField);
  v1::CreateInstanceRequest create = Orders();
  create.set_validate_only(true);
  create.set_volume_size_gib(10);
  for (int i = 0; i < 4; ++i) {
    v1::CreateInstanceRequest meant = create;
    meant.set_validate_only(false);
    meant.set_volume_size_gib(i == 0 ? 9 : 10);
    REQUIRE(owner(&Stub::CreateInstance, meant).ok());
  }
  CHECK(reason(owner(&Stub::CreateInstance, create)) == Reason::kQuotaExceeded);
  auto grow = PlanOf<v1::GrowVolumeRequest>(active.id());
  grow.set_size_gib(2);
  CHECK(reason(owner(&Stub::GrowVolume, grow)) == Reason::kQuotaExceeded);

  const auto stopping = owner(&Stub::StopInstance, On<v1::StopInstanceRequest>(active.id()));
  REQUIRE(stopping.ok());
  CHECK(reason(owner(&Stub::StopInstance, PlanOf<v1::StopInstanceRequest>(active.id()))) ==
        Reason::kOperationRunning);
  CHECK(reason(owner(&Stub::RestartInstance, PlanOf<v1::RestartInstanceRequest>(active.id()))) ==
        Reason::kWrongState);
  const auto deleting =
      owner(&Stub::DeleteInstance, PlanOf<v1::DeleteInstanceRequest>(active.id()));
  REQUIRE(deleting.ok());
  REQUIRE(deleting->plan().notes_size() == 1);
  CHECK(deleting->plan().notes(0) ==
        "cancels operation " + stopping->operation_id() + " (instance.stop)");
}

TEST_CASE("a plan of nothing says so", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const auto answer = owner(&Stub::DetachConfiguration,
                            PlanOf<v1::DetachConfigurationRequest>(api.Active("p1").id()));
  REQUIRE(answer.ok());
  CHECK(answer->plan().steps().empty());
  REQUIRE(answer->plan().notes_size() == 1);
}

}  // namespace
}  // namespace trove::api
