#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

std::int64_t InUse(StoreFixture& mesh, const std::string& project, QuotaResource resource) {
  const auto quotas = mesh.store->GetQuotas(SoonCall(), ProjectId(project));
  REQUIRE(quotas.ok());
  for (const Quota& quota : *quotas) {
    if (quota.resource == resource) return quota.in_use;
  }
  return -1;
}

Reason Refusal(const absl::Status& status) {
  CAPTURE(status);
  REQUIRE_FALSE(status.ok());
  return ReasonOf(status).reason;
}

void CheckQuotas(const MakeStore& make) {
  SECTION("a project begins with the default limits, in Trove's order") {
    const StoreFixture mesh(make);
    const auto quotas = mesh.store->GetQuotas(SoonCall(), ProjectId("p"));
    REQUIRE(quotas.ok());
    REQUIRE(quotas->size() == kQuotaResources.size());
    for (std::size_t i = 0; i < quotas->size(); ++i) {
      CHECK(quotas->at(i) ==
            Quota{kQuotaResources[i], DefaultQuotaLimit(kQuotaResources[i]), 0, 0});
    }
  }
  SECTION("what does not fit is refused, names the resource and leaves nothing behind") {
    StoreFixture mesh(make);
    const NewInstance large = WantedInstance("p", "large", 41);
    const auto refused = mesh.store->CreateInstance(SoonCall(), Tenant("p", "r1", "f"), large);
    CHECK(Refusal(refused.status()) == Reason::kQuotaExceeded);
    CHECK(MessageOf(refused.status()).find("'volumes'") != std::string::npos);
    CHECK(InUse(mesh, "p", QuotaResource::kInstances) == 0);
    CHECK(absl::IsNotFound(
        mesh.store->GetInstance(SoonCall(), std::nullopt, large.instance.id).status()));
    CHECK(absl::IsNotFound(
        mesh.store->GetOperation(SoonCall(), std::nullopt, large.operation.id).status()));
    CHECK(mesh.Events().empty());
    // The request was not accepted, so that its id is free.
    CHECK(
        mesh.store->CreateInstance(SoonCall(), Tenant("p", "r1", "g"), WantedInstance("p", "small"))
            .ok());
  }
  SECTION("an eleventh instance is refused, and fits when one has been deleted") {
    StoreFixture mesh(make);
    InstanceId last;
    for (int i = 0; i < 10; ++i)
      last = mesh.Create("p", "db").view.instance.id;
    const NewInstance eleventh = WantedInstance("p", "db");
    CHECK(Refusal(mesh.store->CreateInstance(SoonCall(), Tenant("p"), eleventh).status()) ==
          Reason::kQuotaExceeded);
    mesh.Create("q", "another project has a quota of its own");
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(last)).ok());
    CHECK(mesh.store->CreateInstance(SoonCall(), Tenant("p"), eleventh).ok());
  }
  SECTION("what was charged is given back once, and use is never negative") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    CHECK(InUse(mesh, "p", QuotaResource::kInstances) == 1);
    CHECK(InUse(mesh, "p", QuotaResource::kRam) == 512);
    CHECK(InUse(mesh, "p", QuotaResource::kVolumes) == 1);
    const WorkerId worker = mesh.Worker("w");
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).ok());
    const ClaimedOperation first = mesh.ClaimOne(worker);
    OperationWrite failed{first.operation, {}, {}, true};
    failed.operation.state = OperationState::kFailed;
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, failed).ok());
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).ok());
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation, {BuryInstance{}});
    for (const QuotaResource resource : kQuotaResources)
      CHECK(InUse(mesh, "p", resource) == 0);
  }
}

void CheckRequestIds(const MakeStore& make) {
  SECTION("the same request again has the same answer and changes nothing") {
    StoreFixture mesh(make);
    const auto first =
        mesh.store->CreateInstance(SoonCall(), Tenant("p", "r1", "f"), WantedInstance("p", "db"));
    const auto again =
        mesh.store->CreateInstance(SoonCall(), Tenant("p", "r1", "f"), WantedInstance("p", "db"));
    REQUIRE(first.ok());
    REQUIRE(again.ok());
    CHECK_FALSE(first->repeated);
    CHECK(again->repeated);
    CHECK(again->view.instance == first->view.instance);
    CHECK(again->operation_id == first->operation_id);
    CHECK(InUse(mesh, "p", QuotaResource::kInstances) == 1);
  }
  SECTION("a request id that comes with something else is refused") {
    StoreFixture mesh(make);
    REQUIRE(
        mesh.store->CreateInstance(SoonCall(), Tenant("p", "r1", "f"), WantedInstance("p", "db"))
            .ok());
    const auto other = mesh.store->CreateInstance(
        SoonCall(), Tenant("p", "r1", "g"), WantedInstance("p", "other"));
    CHECK(Refusal(other.status()) == Reason::kRequestIdReused);
  }
  SECTION("request ids are a project's own, and end after a day") {
    StoreFixture mesh(make);
    const auto create = [&](const std::string& project, const std::string& fingerprint) {
      return mesh.store->CreateInstance(
          SoonCall(), Tenant(project, "r1", fingerprint), WantedInstance(project, "db"));
    };
    REQUIRE(create("p", "f").ok());
    const auto other_project = create("q", "g");
    REQUIRE(other_project.ok());
    CHECK_FALSE(other_project->repeated);
    mesh.clock.Advance(absl::Hours(24));
    const auto next_day = create("p", "g");
    REQUIRE(next_day.ok());
    CHECK_FALSE(next_day->repeated);
  }
  SECTION("a repeated action is accepted once, also when it has ended") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    const auto first = mesh.store->BeginAction(SoonCall(), Tenant("p", "r1", "f"), RestartOf(id));
    REQUIRE(first.ok());
    const WorkerId worker = mesh.Worker("w");
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation, {SetTask{TaskStatus::kNone}});
    const auto again = mesh.store->BeginAction(SoonCall(), Tenant("p", "r1", "f"), RestartOf(id));
    REQUIRE(again.ok());
    CHECK(again->repeated);
    CHECK(again->operation_id == first->operation_id);
    CHECK_FALSE(mesh.Get(id).operation);
  }
  SECTION("a repeated rename does not undo a later one") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "zero").view.instance.id;
    REQUIRE(mesh.store->RenameInstance(SoonCall(), Tenant("p", "r1", "f"), id, "one").ok());
    REQUIRE(mesh.store->RenameInstance(SoonCall(), Tenant("p", "r2", "g"), id, "two").ok());
    const auto late = mesh.store->RenameInstance(SoonCall(), Tenant("p", "r1", "f"), id, "one");
    REQUIRE(late.ok());
    CHECK(late->repeated);
    CHECK(late->view.instance.name == "two");
  }
}

void CheckActions(const MakeStore& make) {
  SECTION("a create names a version and a flavor that exist") {
    const StoreFixture mesh(make);
    NewInstance wanted = WantedInstance("p", "db");
    wanted.instance.version_id = VersionId("nope");
    CHECK(Refusal(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).status()) ==
          Reason::kVersionUnknown);
    wanted = WantedInstance("p", "db");
    wanted.instance.flavor_id = FlavorId("nope");
    CHECK(Refusal(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).status()) ==
          Reason::kFlavorUnknown);
  }
  SECTION("an accepted action shows at once and is due at once") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    NewAction restart = RestartOf(id);
    restart.service = ServiceStatus::kRestarting;
    const auto accepted = mesh.store->BeginAction(SoonCall(), Tenant("p"), restart);
    REQUIRE(accepted.ok());
    CHECK(accepted->operation_id == restart.operation.id);
    CHECK(accepted->view.instance.task == TaskStatus::kRebooting);
    CHECK(accepted->view.instance.service == ServiceStatus::kRestarting);
    REQUIRE(accepted->view.operation);
    CHECK(accepted->view.operation->id == restart.operation.id);
    CHECK(accepted->view.operation->requested_by == "user of p");
    CHECK(mesh.ClaimOne(mesh.Worker("w")).operation.id == restart.operation.id);
  }
  SECTION("an instance that is being built takes no action") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    CHECK(Refusal(mesh.store->BeginAction(SoonCall(), Tenant("p"), RestartOf(id)).status()) ==
          Reason::kWrongState);
  }
  SECTION("what an operation holds takes no other, and the refusal names it") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    NewAction quiet = RestartOf(id);
    quiet.task = TaskStatus::kNone;  // holds the instance without a task that shows
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), quiet).ok());
    const auto refused = mesh.store->BeginAction(SoonCall(), Tenant("p"), RestartOf(id));
    CHECK(Refusal(refused.status()) == Reason::kOperationRunning);
    CHECK(MessageOf(refused.status()).find(quiet.operation.id.value()) != std::string::npos);
  }
  SECTION("another project may neither act nor delete, an admin may") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    CHECK(Refusal(mesh.store->BeginAction(SoonCall(), Tenant("q"), RestartOf(id)).status()) ==
          Reason::kInstanceNotFound);
    CHECK(Refusal(mesh.store->BeginDelete(SoonCall(), Tenant("q"), DeleteOf(id)).status()) ==
          Reason::kInstanceNotFound);
    Requester admin = Tenant("q");
    admin.admin = true;
    const auto accepted = mesh.store->BeginAction(SoonCall(), admin, RestartOf(id));
    REQUIRE(accepted.ok());
    CHECK(accepted->view.operation->project_id == ProjectId("p"));
  }
}

void CheckDeletes(const MakeStore& make) {
  SECTION("a delete takes the place of a running operation, and its owner learns of it") {
    StoreFixture mesh(make);
    const Accepted create = mesh.Create("p", "db");
    const InstanceId id = create.view.instance.id;
    const WorkerId worker = mesh.Worker("w");
    ClaimedOperation building = mesh.ClaimOne(worker);
    building.operation.steps[0].state = StepState::kRunning;
    REQUIRE(
        mesh.store->WriteOperation(SoonCall(), worker, {building.operation, {}, {}, false}).ok());
    const NewAction remove = DeleteOf(id);
    const auto accepted = mesh.store->BeginDelete(SoonCall(), Tenant("p"), remove);
    REQUIRE(accepted.ok());
    CHECK_FALSE(accepted->repeated);
    CHECK(accepted->view.instance.task == TaskStatus::kDeleting);
    CHECK(accepted->view.operation->id == remove.operation.id);

    const auto old = mesh.store->GetOperation(SoonCall(), std::nullopt, create.operation_id);
    REQUIRE(old.ok());
    CHECK(old->state == OperationState::kCancelled);
    CHECK(old->finished_at == mesh.clock.Now());
    CHECK(old->steps[0].state == StepState::kFailed);
    CHECK(old->steps[1].state == StepState::kPending);
    CHECK(Refusal(mesh.store->WriteOperation(SoonCall(), worker, {building.operation, {}, {}, true})
                      .status()) == Reason::kStaleOwner);

    const ClaimedOperation deleting = mesh.ClaimOne(worker);
    CHECK(deleting.operation.id == remove.operation.id);
    // One for the delete itself, one for the claim.
    CHECK(deleting.generation == building.generation + 2);
  }
  SECTION("a second delete is answered by the first") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    const auto first = mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id));
    const auto second = mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id));
    REQUIRE(first.ok());
    REQUIRE(second.ok());
    CHECK(second->repeated);
    CHECK(second->operation_id == first->operation_id);
  }
  SECTION("a buried instance leaves tombstones and nothing else") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    const WorkerId worker = mesh.Worker("w");
    ClaimedOperation create = mesh.ClaimOne(worker);
    const auto target = mesh.store->LoadTarget(SoonCall(), create.operation.id);
    REQUIRE(target.ok());
    mesh.Succeed(worker,
                 create.operation,
                 {PlaceGuest{"process:h", "unix:/a", 200000}, AssignEndpoint{"127.0.0.1", 20001}});
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).ok());
    CHECK_FALSE(mesh.store->IsBuried(SoonCall(), target->guest.id).value());
    const ClaimedOperation remove = mesh.ClaimOne(worker);
    mesh.Succeed(worker, remove.operation, {BuryInstance{}});

    CHECK(mesh.store->IsBuried(SoonCall(), target->guest.id).value());
    const auto view = mesh.store->GetInstance(SoonCall(), std::nullopt, id);
    CHECK(Refusal(view.status()) == Reason::kInstanceNotFound);
    CHECK(MessageOf(view.status()).find("deleted at") != std::string::npos);
    CHECK(mesh.store->ListGuests(SoonCall(), "process:h").value().empty());
    CHECK(Refusal(mesh.store->LoadTarget(SoonCall(), remove.operation.id).status()) ==
          Reason::kInstanceNotFound);
    CHECK(Refusal(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).status()) ==
          Reason::kInstanceNotFound);
    // The operations stay as history.
    CHECK(mesh.store->GetOperation(SoonCall(), ProjectId("p"), remove.operation.id).value().state ==
          OperationState::kSucceeded);

    // Its address and its user are free again.
    mesh.Create("p", "next");
    mesh.Succeed(worker,
                 mesh.ClaimOne(worker).operation,
                 {PlaceGuest{"process:h", "unix:/a", 200000}, AssignEndpoint{"127.0.0.1", 20001}});
  }
}

}  // namespace

void CheckStoreAccepts(const MakeStore& make) {
  CheckQuotas(make);
  CheckRequestIds(make);
  CheckActions(make);
  CheckDeletes(make);
}

}  // namespace trove
