#include <optional>
#include <set>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

bool IsStale(const absl::Status& status) {
  CAPTURE(status);
  return absl::IsAborted(status) && ReasonOf(status).reason == Reason::kStaleOwner;
}

std::size_t Claimable(StoreFixture& mesh, const WorkerId& worker) {
  const auto claims = mesh.store->ClaimDue(SoonCall(), worker, {100});
  REQUIRE(claims.ok());
  return claims->operations.size();
}

void CheckClaims(const MakeStore& make) {
  SECTION("a claim brings the whole operation, running, and grows the guest's generation") {
    StoreFixture mesh(make);
    NewInstance wanted = WantedInstance("p", "db");
    wanted.operation.input = std::string("sealed\0bytes", 12);
    wanted.operation.memory = std::string("\0\1\2", 3);
    wanted.operation.deadline = mesh.clock.Now() + absl::Minutes(10);
    wanted.operation.workflow_version = 3;
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p", "r1", "f"), wanted).ok());
    const ClaimedOperation claimed = mesh.ClaimOne(mesh.Worker("w"));
    Operation expected = wanted.operation;
    expected.project_id = ProjectId("p");
    expected.instance_id = wanted.instance.id;
    expected.state = OperationState::kRunning;
    expected.due_at = expected.created_at = expected.updated_at = mesh.clock.Now();
    expected.requested_by = "user of p";
    expected.request_id = "r1";
    expected.version = 2;
    CHECK(claimed.operation == expected);
    CHECK(claimed.signals.empty());
    CHECK(claimed.generation == 1);
    CHECK(mesh.store->LoadTarget(SoonCall(), wanted.operation.id).value().guest.generation == 1);
  }
  SECTION("two workers never hold the same operation") {
    StoreFixture mesh(make);
    for (int i = 0; i < 5; ++i)
      mesh.Create("p", "db");
    const WorkerId one = mesh.Worker("one");
    const WorkerId two = mesh.Worker("two");
    std::set<OperationId> seen;
    for (const auto& [worker, want] : {std::pair(one, 3U), std::pair(two, 2U)}) {
      const auto claims = mesh.store->ClaimDue(SoonCall(), worker, {3});
      REQUIRE(claims.ok());
      CHECK(claims->operations.size() == want);
      for (const ClaimedOperation& claimed : claims->operations)
        CHECK(seen.insert(claimed.operation.id).second);
    }
    CHECK(Claimable(mesh, one) == 0);
  }
  SECTION("what has been due longest is claimed first") {
    StoreFixture mesh(make);
    const OperationId first = mesh.Create("p", "first").operation_id;
    mesh.clock.Advance(absl::Seconds(1));
    const OperationId second = mesh.Create("p", "second").operation_id;
    const auto claims = mesh.store->ClaimDue(SoonCall(), mesh.Worker("w"), {1});
    REQUIRE(claims.ok());
    REQUIRE(claims->operations.size() == 1);
    CHECK(claims->operations[0].operation.id == first);
    CHECK(mesh.ClaimOne(mesh.Worker("v")).operation.id == second);
  }
  SECTION("an operation that waits is not due before its time, and the answer says when") {
    StoreFixture mesh(make);
    mesh.Create("p", "db");
    const WorkerId worker = mesh.Worker("w");
    const absl::Time due = mesh.clock.Now() + absl::Seconds(5);
    mesh.Wait(worker, mesh.ClaimOne(worker).operation, "", due);
    const auto early = mesh.store->ClaimDue(SoonCall(), worker, {10});
    REQUIRE(early.ok());
    CHECK(early->operations.empty());
    CHECK(early->next_due == due);
    mesh.clock.Advance(absl::Seconds(5));
    const ClaimedOperation again = mesh.ClaimOne(worker);
    CHECK(again.operation.state == OperationState::kRunning);
    CHECK(again.generation == 2);
  }
  SECTION("nothing at all is due never") {
    StoreFixture mesh(make);
    const auto claims = mesh.store->ClaimDue(SoonCall(), mesh.Worker("w"), {10});
    REQUIRE(claims.ok());
    CHECK(claims->next_due == absl::InfiniteFuture());
  }
}

void CheckWorkers(const MakeStore& make) {
  SECTION("a worker that is not registered, or whose lease has ended, claims nothing") {
    StoreFixture mesh(make);
    mesh.Create("p", "db");
    CHECK(IsStale(mesh.store->ClaimDue(SoonCall(), WorkerId("nobody"), {1}).status()));
    const WorkerId worker = mesh.Worker("w");
    mesh.clock.Advance(absl::Seconds(10));
    CHECK(IsStale(mesh.store->ClaimDue(SoonCall(), worker, {1}).status()));
  }
  SECTION("a lease lives as long as it is renewed, and its id never lives again") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    for (int i = 0; i < 3; ++i) {
      mesh.clock.Advance(absl::Seconds(9));
      CHECK(mesh.store->RenewWorker(SoonCall(), worker, absl::Seconds(10)).ok());
    }
    mesh.clock.Advance(absl::Seconds(10));
    CHECK(IsStale(mesh.store->RenewWorker(SoonCall(), worker, absl::Seconds(10))));
    mesh.clock.Advance(absl::Hours(1));
    mesh.Worker("v");
    CHECK(IsStale(mesh.store->RenewWorker(SoonCall(), worker, absl::Seconds(10))));
  }
  SECTION("what a dead worker held goes on elsewhere, and its late write is refused") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    const WorkerId dead = mesh.Worker("dead");
    ClaimedOperation lost = mesh.ClaimOne(dead);
    mesh.clock.Advance(absl::Seconds(5));
    const WorkerId heir = mesh.Worker("heir");
    const auto early = mesh.store->ClaimDue(SoonCall(), heir, {10});
    REQUIRE(early.ok());
    CHECK(early->operations.empty());
    CHECK(early->next_due == mesh.clock.Now() + absl::Seconds(5));
    mesh.clock.Advance(absl::Seconds(5));
    const ClaimedOperation taken = mesh.ClaimOne(heir);
    CHECK(taken.operation.id == lost.operation.id);
    CHECK(taken.generation == lost.generation + 1);

    lost.operation.state = OperationState::kSucceeded;
    CHECK(
        IsStale(mesh.store
                    ->WriteOperation(
                        SoonCall(), dead, {lost.operation, {SetTask{TaskStatus::kNone}}, {}, true})
                    .status()));
    CHECK(mesh.Get(id).instance.task == TaskStatus::kBuilding);
    CHECK(mesh.Get(id).operation->state == OperationState::kRunning);
  }
  SECTION("a write after the lease has ended is refused though nobody has taken over") {
    StoreFixture mesh(make);
    mesh.Create("p", "db");
    const WorkerId worker = mesh.Worker("w");
    const ClaimedOperation claimed = mesh.ClaimOne(worker);
    mesh.clock.Advance(absl::Seconds(10));
    CHECK(IsStale(mesh.store->WriteOperation(SoonCall(), worker, {claimed.operation, {}, {}, false})
                      .status()));
  }
  SECTION("a worker that releases leaves everything to others at once") {
    StoreFixture mesh(make);
    mesh.Create("p", "db");
    const WorkerId worker = mesh.Worker("w");
    mesh.ClaimOne(worker);
    REQUIRE(mesh.store->ReleaseWorker(SoonCall(), worker).ok());
    CHECK(IsStale(mesh.store->RenewWorker(SoonCall(), worker, absl::Seconds(10))));
    mesh.ClaimOne(mesh.Worker("next"));
  }
  SECTION("the engine's counters count") {
    StoreFixture mesh(make);
    mesh.Create("p", "one");
    mesh.Create("p", "two");
    const WorkerId worker = mesh.Worker("w");
    REQUIRE(mesh.store->ClaimDue(SoonCall(), worker, {1}).ok());
    const auto counts = mesh.store->CountEngine(SoonCall(), worker);
    REQUIRE(counts.ok());
    CHECK(counts->open_operations == 2);
    CHECK(counts->held_operations == 1);
    CHECK(counts->events_waiting == 4);
  }
}

void CheckOutcomes(const MakeStore& make) {
  SECTION("what a step writes is what is read") {
    StoreFixture mesh(make);
    mesh.Create("p", "db");
    const WorkerId worker = mesh.Worker("w");
    Operation operation = mesh.ClaimOne(worker).operation;
    mesh.clock.Advance(absl::Seconds(1));
    operation.steps[0] = {
        "place", StepState::kDone, 2, mesh.clock.Now(), mesh.clock.Now(), "at first no host"};
    operation.steps[1].state = StepState::kRunning;
    operation.current_step = 1;
    operation.memory = "remembered";
    const auto version = mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, false});
    REQUIRE(version.ok());
    operation.version = version->version;
    operation.updated_at = mesh.clock.Now();
    auto stored = mesh.store->GetOperation(SoonCall(), ProjectId("p"), operation.id);
    REQUIRE(stored.ok());
    CHECK(stored->memory.empty());
    stored->memory = "remembered";
    CHECK(*stored == operation);
    // Still its own: nothing was released.
    CHECK(Claimable(mesh, worker) == 0);
    CHECK(mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, true}).ok());
  }
  SECTION("an operation of another project is not found") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    CHECK(ReasonOf(mesh.store->GetOperation(SoonCall(), ProjectId("q"), id).status()).reason ==
          Reason::kOperationNotFound);
  }
  SECTION("effects change what the operation acts on, in the same transaction") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    const WorkerId worker = mesh.Worker("w");
    const Operation operation = mesh.ClaimOne(worker).operation;
    const auto written = mesh.store->WriteOperation(SoonCall(),
                                                    worker,
                                                    {operation,
                                                     {PlaceGuest{"process:h", "unix:/a", 200001},
                                                      AssignEndpoint{"127.0.0.1", 20001},
                                                      SetVolumeState{VolumeState::kReady},
                                                      SetRunningVersion{"10.11.6"},
                                                      SetService{ServiceStatus::kBuilding},
                                                      SetFault{"it failed", "at length"}},
                                                     {},
                                                     false});
    REQUIRE(written.ok());
    const auto target = mesh.store->LoadTarget(SoonCall(), operation.id);
    REQUIRE(target.ok());
    CHECK(target->guest.placement == "process:h");
    CHECK(target->guest.control_endpoint == "unix:/a");
    CHECK(target->guest.uid == 200001);
    CHECK(target->guest.running_version == "10.11.6");
    CHECK(target->endpoint.address == "127.0.0.1");
    CHECK(target->endpoint.port == 20001);
    CHECK(target->endpoint.guest_id == target->guest.id);
    CHECK(target->volume.state == VolumeState::kReady);
    CHECK(target->volume.guest_id == target->guest.id);
    CHECK(target->flavor == TestCatalogue().flavors[0]);
    CHECK(target->version == TestCatalogue().datastores[0].versions[0]);
    CHECK(target->instance.service == ServiceStatus::kBuilding);
    CHECK(target->instance.fault == Fault{"it failed", "at length", mesh.clock.Now()});
    const InstanceView view = mesh.Get(id);
    REQUIRE(view.endpoint);
    CHECK(view.endpoint->port == 20001);
    CHECK(view.instance.version == 2);
    REQUIRE(
        mesh.store->WriteOperation(SoonCall(), worker, {operation, {SetFault{}}, {}, false}).ok());
    CHECK_FALSE(mesh.Get(id).instance.fault);
  }
  SECTION("an address or a user that is taken is refused, and nothing of that write stays") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    mesh.Create("p", "one");
    mesh.Succeed(worker,
                 mesh.ClaimOne(worker).operation,
                 {PlaceGuest{"process:h", "unix:/a", 200001}, AssignEndpoint{"127.0.0.1", 20001}});
    mesh.Create("p", "two");
    const Operation operation = mesh.ClaimOne(worker).operation;
    const auto try_effects = [&](const std::vector<Effect>& effects) {
      return mesh.store->WriteOperation(SoonCall(), worker, {operation, effects, {}, true})
          .status();
    };
    CHECK(absl::IsAlreadyExists(try_effects(
        {PlaceGuest{"process:h", "unix:/b", 200002}, AssignEndpoint{"127.0.0.1", 20001}})));
    CHECK(absl::IsAlreadyExists(try_effects({PlaceGuest{"process:h", "unix:/b", 200001}})));
    CHECK(mesh.store->LoadTarget(SoonCall(), operation.id).value().guest.placement.empty());
    CHECK(try_effects(
              {PlaceGuest{"process:other", "unix:/b", 200001}, AssignEndpoint{"127.0.0.1", 20002}})
              .ok());
  }
  SECTION("an operation that ends lets go of its instance and forgets its input") {
    StoreFixture mesh(make);
    NewInstance wanted = WantedInstance("p", "db");
    wanted.operation.input = "sealed";
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).ok());
    const WorkerId worker = mesh.Worker("w");
    Operation operation = mesh.ClaimOne(worker).operation;
    CHECK(operation.input == "sealed");
    operation.state = OperationState::kFailed;
    operation.error = "it failed";
    operation.steps[0].state = StepState::kFailed;
    REQUIRE(mesh.store
                ->WriteOperation(SoonCall(),
                                 worker,
                                 {operation, {SetTask{TaskStatus::kBuildingErrorServer}}, {}, true})
                .ok());
    CHECK_FALSE(mesh.Get(wanted.instance.id).operation);
    const auto ended = mesh.store->GetOperation(SoonCall(), ProjectId("p"), operation.id);
    REQUIRE(ended.ok());
    CHECK(ended->error == "it failed");
    CHECK(ended->finished_at == mesh.clock.Now());
    CHECK(ended->steps.size() == 3);
    mesh.clock.Advance(absl::Seconds(5));
    CHECK(Claimable(mesh, worker) == 0);
    CHECK(IsStale(
        mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, true}).status()));
    CHECK(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(wanted.instance.id)).ok());
  }
  SECTION("erased input is gone for whoever claims next") {
    StoreFixture mesh(make);
    NewInstance wanted = WantedInstance("p", "db");
    wanted.operation.input = "sealed";
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).ok());
    const WorkerId worker = mesh.Worker("w");
    const Operation operation = mesh.ClaimOne(worker).operation;
    REQUIRE(
        mesh.store->WriteOperation(SoonCall(), worker, {operation, {EraseInput{}}, {}, true}).ok());
    CHECK(mesh.ClaimOne(worker).operation.input.empty());
  }
}

void CheckSignals(const MakeStore& make) {
  SECTION("a signal that is awaited makes the operation due, another one does not") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    const WorkerId worker = mesh.Worker("w");
    mesh.Wait(worker, mesh.ClaimOne(worker).operation, "job:1");
    REQUIRE(mesh.store->PostSignal(SoonCall(), id, {"job:2", "", {}}).ok());
    CHECK(Claimable(mesh, worker) == 0);
    mesh.clock.Advance(absl::Seconds(1));
    REQUIRE(mesh.store->PostSignal(SoonCall(), id, {"job:1", std::string("a\0b", 3), {}}).ok());
    const ClaimedOperation claimed = mesh.ClaimOne(worker);
    REQUIRE(claimed.signals.size() == 2);
    CHECK(claimed.signals[0].name == "job:2");
    CHECK(claimed.signals[1] == Signal{"job:1", std::string("a\0b", 3), mesh.clock.Now()});
  }
  SECTION("a signal that comes while the operation is held is not missed") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    const WorkerId worker = mesh.Worker("w");
    const Operation operation = mesh.ClaimOne(worker).operation;
    REQUIRE(mesh.store->PostSignal(SoonCall(), id, {"job:1", "done", {}}).ok());
    mesh.Wait(worker, operation, "job:1");
    const ClaimedOperation claimed = mesh.ClaimOne(worker);
    REQUIRE(claimed.signals.size() == 1);
    CHECK(claimed.signals[0].payload == "done");
  }
  SECTION("a consumed signal is not given again, and does not end the next wait for it") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    const WorkerId worker = mesh.Worker("w");
    Operation operation = mesh.ClaimOne(worker).operation;
    REQUIRE(mesh.store->PostSignal(SoonCall(), id, {"guest.status", "one", {}}).ok());
    operation.state = OperationState::kWaiting;
    operation.awaited_signal = "guest.status";
    operation.due_at = absl::InfiniteFuture();
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {"guest.status"}, true})
                .ok());
    CHECK(Claimable(mesh, worker) == 0);
    REQUIRE(mesh.store->PostSignal(SoonCall(), id, {"guest.status", "two", {}}).ok());
    const ClaimedOperation again = mesh.ClaimOne(worker);
    REQUIRE(again.signals.size() == 1);
    CHECK(again.signals[0].payload == "two");
  }
  SECTION("the same signal again replaces the earlier one and counts as the latest") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    for (const auto& [name, payload] :
         {std::pair("a", "1"), std::pair("b", "2"), std::pair("a", "3")})
      REQUIRE(mesh.store->PostSignal(SoonCall(), id, {name, payload, {}}).ok());
    const ClaimedOperation claimed = mesh.ClaimOne(mesh.Worker("w"));
    REQUIRE(claimed.signals.size() == 2);
    CHECK(claimed.signals[0].name == "b");
    CHECK(claimed.signals[1].payload == "3");
  }
  SECTION("a signal for an operation that is unknown or has ended is no error and no trace") {
    StoreFixture mesh(make);
    CHECK(mesh.store->PostSignal(SoonCall(), OperationId("nope"), {"a", "", {}}).ok());
    const OperationId id = mesh.Create("p", "db").operation_id;
    const WorkerId worker = mesh.Worker("w");
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation);
    CHECK(mesh.store->PostSignal(SoonCall(), id, {"a", "", {}}).ok());
    CHECK(Claimable(mesh, worker) == 0);
  }
}

}  // namespace

void CheckStoreForEngine(const MakeStore& make) {
  CheckClaims(make);
  CheckWorkers(make);
  CheckOutcomes(make);
  CheckSignals(make);
}

}  // namespace trove
