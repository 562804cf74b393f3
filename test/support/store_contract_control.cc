#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

Reason Refusal(const absl::Status& status) {
  CAPTURE(status);
  CHECK_FALSE(status.ok());
  return ReasonOf(status).reason;
}

// Ends an operation as its owner does.
void End(StoreFixture& mesh, const WorkerId& worker, Operation operation, OperationState state) {
  operation.state = state;
  operation.error = state == OperationState::kFailed ? "it failed" : "";
  operation.help = "try again";
  const auto written =
      mesh.store->WriteOperation(SoonCall(), worker, {std::move(operation), {}, {}, true});
  INFO(written.status());
  REQUIRE(written.ok());
}

Operation Read(StoreFixture& mesh, const OperationId& id) {
  auto operation = mesh.store->GetOperation(SoonCall(), std::nullopt, id);
  INFO(operation.status());
  REQUIRE(operation.ok());
  return *std::move(operation);
}

void CheckCancel(const MakeStore& make) {
  SECTION("a cancel makes an operation that waits due at once, and shows") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    const WorkerId worker = mesh.Worker("w");
    mesh.Wait(worker, mesh.ClaimOne(worker).operation, "guest.connected");
    const auto asked = mesh.store->CancelOperation(SoonCall(), Tenant("p"), id);
    REQUIRE(asked.ok());
    CHECK(asked->cancel_requested);
    CHECK(asked->state == OperationState::kWaiting);
    CHECK(asked->steps.size() == 3);
    CHECK(mesh.store->CancelOperation(SoonCall(), Tenant("p"), id).ok());
    const Operation claimed = mesh.ClaimOne(worker).operation;
    CHECK(claimed.cancel_requested);
    CHECK(mesh.Events().back().type == "trove.operation.cancel_requested");
  }
  SECTION("a cancel that comes while the operation is held is seen with the next write") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    const WorkerId worker = mesh.Worker("w");
    Operation operation = mesh.ClaimOne(worker).operation;
    REQUIRE(mesh.store->CancelOperation(SoonCall(), Tenant("p"), id).ok());
    CHECK(mesh.store->ClaimDue(SoonCall(), worker, {10})->operations.empty());
    operation.state = OperationState::kWaiting;
    operation.due_at = absl::InfiniteFuture();
    const auto held = mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, false});
    REQUIRE(held.ok());
    CHECK(held->cancel_requested);
    // Its owner goes without having looked: it is due all the same.
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, true}).ok());
    operation = mesh.ClaimOne(worker).operation;
    CHECK(operation.cancel_requested);
    // Now it has seen it and waits on purpose.
    operation.state = OperationState::kCancelling;
    operation.due_at = absl::InfiniteFuture();
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, true}).ok());
    CHECK(mesh.store->ClaimDue(SoonCall(), worker, {10})->operations.empty());
    CHECK(Read(mesh, id).state == OperationState::kCancelling);
  }
  SECTION("what has ended, cannot be undone or is another's is not cancelled") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    CHECK(Refusal(mesh.store->CancelOperation(SoonCall(), Tenant("q"), id).status()) ==
          Reason::kOperationNotFound);
    const WorkerId worker = mesh.Worker("w");
    Operation operation = mesh.ClaimOne(worker).operation;
    operation.cancellable = false;
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, false}).ok());
    CHECK(Refusal(mesh.store->CancelOperation(SoonCall(), Tenant("p"), id).status()) ==
          Reason::kNotCancellable);
    CHECK_FALSE(Read(mesh, id).cancel_requested);
    mesh.Succeed(worker, operation);
    CHECK(Refusal(mesh.store->CancelOperation(SoonCall(), Tenant("p"), id).status()) ==
          Reason::kOperationEnded);
  }
}

void CheckRetry(const MakeStore& make) {
  SECTION("an operation that failed is taken up with its input, its steps and its time") {
    StoreFixture mesh(make);
    NewInstance wanted = WantedInstance("p", "db");
    wanted.operation.input = "sealed";
    wanted.operation.deadline = mesh.clock.Now() + absl::Minutes(10);
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).ok());
    const WorkerId worker = mesh.Worker("w");
    const OperationId id = wanted.operation.id;
    Operation operation = mesh.ClaimOne(worker).operation;
    operation.steps[0].state = StepState::kDone;
    operation.steps[1].state = StepState::kFailed;
    operation.current_step = 1;
    operation.memory = "remembered";
    OperationWrite failed{
        operation, {SetTask{TaskStatus::kBuildingErrorServer}, SetFault{"no host", ""}}, {}, true};
    failed.operation.state = OperationState::kFailed;
    failed.operation.error = "no host";
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, failed).ok());
    CHECK(mesh.Get(wanted.instance.id).instance.task == TaskStatus::kBuildingErrorServer);
    mesh.clock.Advance(absl::Minutes(9));

    const auto taken = mesh.store->RetryOperation(SoonCall(), Tenant("p"), id);
    INFO(taken.status());
    REQUIRE(taken.ok());
    CHECK(taken->state == OperationState::kPending);
    CHECK(taken->retries == 1);
    CHECK(taken->error.empty());
    CHECK_FALSE(taken->finished_at);
    CHECK(taken->deadline == mesh.clock.Now() + absl::Minutes(10));
    const InstanceView view = mesh.Get(wanted.instance.id);
    CHECK(view.instance.task == TaskStatus::kBuilding);
    CHECK(view.instance.service == ServiceStatus::kNew);
    REQUIRE(view.operation);
    CHECK(view.operation->id == id);
    CHECK(mesh.Events().back().type == "trove.operation.retried");
    const Operation again = mesh.ClaimOne(mesh.Worker("heir")).operation;
    CHECK(again.id == id);
    CHECK(again.input == "sealed");
    CHECK(again.memory == "remembered");
    CHECK(again.current_step == 1);
    CHECK(again.steps[0].state == StepState::kDone);
  }
  SECTION("only what failed last on its instance is taken up") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    const NewAction first = RestartOf(id);
    const WorkerId worker = mesh.Worker("w");
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), first).ok());
    CHECK(
        Refusal(mesh.store->RetryOperation(SoonCall(), Tenant("p"), first.operation.id).status()) ==
        Reason::kNotRetryable);
    Operation operation = mesh.ClaimOne(worker).operation;
    OperationWrite failed{operation, {SetTask{TaskStatus::kNone}}, {}, true};
    failed.operation.state = OperationState::kFailed;
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, failed).ok());
    CHECK(
        Refusal(mesh.store->RetryOperation(SoonCall(), Tenant("q"), first.operation.id).status()) ==
        Reason::kOperationNotFound);
    const NewAction second = RestartOf(id);
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), second).ok());
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation, {SetTask{TaskStatus::kNone}});
    for (const OperationId& other : {first.operation.id, second.operation.id}) {
      CHECK(Refusal(mesh.store->RetryOperation(SoonCall(), Tenant("p"), other).status()) ==
            Reason::kNotRetryable);
    }
  }
  SECTION("an input erased on the way is not missed, one erased by age is") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    const OperationId spent = mesh.Create("p", "one").operation_id;
    const Operation one = mesh.ClaimOne(worker).operation;
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, {one, {EraseInput{}}, {}, false}).ok());
    End(mesh, worker, one, OperationState::kFailed);
    const OperationId kept = mesh.Create("p", "two").operation_id;
    End(mesh, worker, mesh.ClaimOne(worker).operation, OperationState::kFailed);
    mesh.clock.Advance(absl::Hours(24 * 8));
    CHECK(mesh.store->Purge(SoonCall(), Retention{}, 100).ok());
    const absl::Status lost = mesh.store->RetryOperation(SoonCall(), Tenant("p"), kept).status();
    CHECK(Refusal(lost) == Reason::kNotRetryable);
    CHECK(lost.message().find("erased") != absl::string_view::npos);
    CHECK(mesh.store->RetryOperation(SoonCall(), Tenant("p"), spent).ok());
  }
  SECTION("what it had set aside and locked is taken again, and given back at each end") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    NewAction grow = RestartOf(id);
    grow.quota = {{QuotaResource::kVolumes, 30}, {QuotaResource::kRam, -1}};
    grow.locks = {{"configurations/c", LockMode::kShared}};
    const auto volumes = [&] {
      return mesh.store->GetQuotas(SoonCall(), ProjectId("p")).value()[2];
    };
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), grow).ok());
    CHECK(volumes() == Quota{QuotaResource::kVolumes, 40, 1, 30});
    CHECK(
        Refusal(mesh.store->CreateInstance(SoonCall(), Tenant("p"), WantedInstance("p", "big", 20))
                    .status()) == Reason::kQuotaExceeded);
    const WorkerId worker = mesh.Worker("w");
    End(mesh, worker, mesh.ClaimOne(worker).operation, OperationState::kFailed);
    CHECK(volumes() == Quota{QuotaResource::kVolumes, 40, 1, 0});
    REQUIRE(mesh.store->RetryOperation(SoonCall(), Tenant("p"), grow.operation.id).ok());
    CHECK(volumes() == Quota{QuotaResource::kVolumes, 40, 1, 30});
    // Made lasting, and not taken a second time by the next retry.
    const Operation operation = mesh.ClaimOne(worker).operation;
    REQUIRE(mesh.store
                ->WriteOperation(SoonCall(),
                                 worker,
                                 {operation, {SetCharge{QuotaResource::kVolumes, 31}}, {}, false})
                .ok());
    CHECK(volumes() == Quota{QuotaResource::kVolumes, 40, 31, 0});
    End(mesh, worker, operation, OperationState::kFailed);
    REQUIRE(mesh.store->RetryOperation(SoonCall(), Tenant("p"), grow.operation.id).ok());
    CHECK(volumes() == Quota{QuotaResource::kVolumes, 40, 31, 0});
    // Somebody else has the lock by now.
    End(mesh, worker, mesh.ClaimOne(worker).operation, OperationState::kFailed);
    NewInstance other = WantedInstance("p", "other");
    other.locks = {{"configurations/c", LockMode::kExclusive}};
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p"), other).ok());
    CHECK(
        Refusal(mesh.store->RetryOperation(SoonCall(), Tenant("p"), grow.operation.id).status()) ==
        Reason::kOperationRunning);
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).ok());
    CHECK(volumes() == Quota{QuotaResource::kVolumes, 40, 1, 0});
  }
  SECTION("a retry that no longer fits the quota changes nothing") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    NewAction grow = RestartOf(id);
    grow.quota = {{QuotaResource::kVolumes, 30}};
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), grow).ok());
    const WorkerId worker = mesh.Worker("w");
    End(mesh, worker, mesh.ClaimOne(worker).operation, OperationState::kFailed);
    REQUIRE(
        mesh.store->CreateInstance(SoonCall(), Tenant("p"), WantedInstance("p", "big", 20)).ok());
    CHECK(
        Refusal(mesh.store->RetryOperation(SoonCall(), Tenant("p"), grow.operation.id).status()) ==
        Reason::kQuotaExceeded);
    CHECK(Read(mesh, grow.operation.id).state == OperationState::kFailed);
    CHECK_FALSE(mesh.Get(id).operation);
  }
}

void CheckAnswers(const MakeStore& make) {
  // Answers as the api makes them.
  const auto asking = [](const std::string& request) {
    Requester requester = Tenant("p", request, "f");
    requester.answer = [](const Accepted& accepted) {
      return "answer on " + accepted.view.instance.name;
    };
    return requester;
  };
  SECTION("a repeated request gets the first answer, also when the instance is gone") {
    StoreFixture mesh(make);
    const NewInstance wanted = WantedInstance("p", "db");
    const InstanceId id = wanted.instance.id;
    REQUIRE(mesh.store->CreateInstance(SoonCall(), asking("r1"), wanted).ok());
    REQUIRE(mesh.store->RenameInstance(SoonCall(), asking("r2"), id, "new").ok());
    const auto removed = mesh.store->BeginDelete(SoonCall(), asking("r3"), DeleteOf(id));
    REQUIRE(removed.ok());
    const WorkerId worker = mesh.Worker("w");
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation, {BuryInstance{}});

    const auto created = mesh.store->CreateInstance(SoonCall(), asking("r1"), wanted);
    REQUIRE(created.ok());
    CHECK(created->repeated);
    CHECK(created->answer == "answer on db");
    CHECK(created->operation_id == wanted.operation.id);
    const auto renamed = mesh.store->RenameInstance(SoonCall(), asking("r2"), id, "new");
    REQUIRE(renamed.ok());
    CHECK(renamed->answer == "answer on new");
    const auto again = mesh.store->BeginDelete(SoonCall(), asking("r3"), DeleteOf(id));
    REQUIRE(again.ok());
    CHECK(again->repeated);
    CHECK(again->operation_id == removed->operation_id);
    CHECK(again->answer == "answer on new");
    CHECK(again->view.instance.id.empty());

    const auto found = mesh.store->FindAnswer(SoonCall(), asking("r3"));
    REQUIRE(found.ok());
    REQUIRE(found->has_value());
    CHECK((*found)->answer == "answer on new");
    CHECK_FALSE(mesh.store->FindAnswer(SoonCall(), asking("r4"))->has_value());
    Requester other = asking("r3");
    other.fingerprint = "g";
    CHECK(Refusal(mesh.store->FindAnswer(SoonCall(), other).status()) == Reason::kRequestIdReused);
  }
  SECTION("an answer is kept for a day") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    REQUIRE(mesh.store->RenameInstance(SoonCall(), asking("r1"), id, "one").ok());
    mesh.clock.Advance(absl::Hours(24) + absl::Seconds(1));
    CHECK_FALSE(mesh.store->FindAnswer(SoonCall(), asking("r1"))->has_value());
    CHECK(mesh.store->Purge(SoonCall(), Retention{}, 100).value() == 1);
  }
  SECTION("a token that is asked for twice is the first one") {
    StoreFixture mesh(make);
    const TokenRecord first{"hash1", ProjectId("p"), "alice", {"member"}};
    const TokenRecord second{"hash2", ProjectId("p"), "alice", {"member"}};
    CHECK(mesh.store->PutTokenOnce(SoonCall(), asking("r1"), first, "sealed1").value() ==
          "sealed1");
    CHECK(mesh.store->PutTokenOnce(SoonCall(), asking("r1"), second, "sealed2").value() ==
          "sealed1");
    CHECK(mesh.store->FindToken(SoonCall(), "hash1").value() == first);
    CHECK(absl::IsUnauthenticated(mesh.store->FindToken(SoonCall(), "hash2").status()));
  }
  SECTION("a repeated cancel and a repeated retry answer with the operation as it is") {
    StoreFixture mesh(make);
    const OperationId id = mesh.Create("p", "db").operation_id;
    const WorkerId worker = mesh.Worker("w");
    REQUIRE(mesh.store->CancelOperation(SoonCall(), asking("r1"), id).ok());
    End(mesh, worker, mesh.ClaimOne(worker).operation, OperationState::kFailed);
    CHECK(mesh.store->CancelOperation(SoonCall(), asking("r1"), id).ok());
    REQUIRE(mesh.store->RetryOperation(SoonCall(), asking("r2"), id).ok());
    const auto again = mesh.store->RetryOperation(SoonCall(), asking("r2"), id);
    REQUIRE(again.ok());
    CHECK(again->retries == 1);
  }
  SECTION("an action checked against an older version of the instance is refused") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    NewAction restart = RestartOf(id);
    restart.seen_version = mesh.Get(id).instance.version;
    REQUIRE(mesh.store->RenameInstance(SoonCall(), Tenant("p"), id, "new").ok());
    CHECK(absl::IsAborted(mesh.store->BeginAction(SoonCall(), Tenant("p"), restart).status()));
    ++restart.seen_version;
    CHECK(mesh.store->BeginAction(SoonCall(), Tenant("p"), restart).ok());
  }
}

}  // namespace

void CheckStoreControl(const MakeStore& make) {
  CheckCancel(make);
  CheckRetry(make);
  CheckAnswers(make);
}

}  // namespace trove
