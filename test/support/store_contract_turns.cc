#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

constexpr char kHost[] = "process:h";

// Accepts an instance that counts against no quota.
OperationId Ask(StoreFixture& mesh, const std::string& project) {
  NewInstance wanted = WantedInstance(project, "db");
  wanted.quota.clear();
  REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant(project), wanted).ok());
  return wanted.operation.id;
}

std::vector<ClaimedOperation> Claim(StoreFixture& mesh,
                                    const WorkerId& worker,
                                    int operations,
                                    int per_host = 0) {
  auto claims = mesh.store->ClaimDue(
      SoonCall(), worker, {.operations = operations, .per_host = per_host, .host = kHost});
  INFO(claims.status());
  REQUIRE(claims.ok());
  return std::move(claims->operations);
}

std::map<std::string, int> ByProject(const std::vector<ClaimedOperation>& claimed) {
  std::map<std::string, int> counts;
  for (const ClaimedOperation& one : claimed)
    ++counts[one.operation.project_id.value()];
  return counts;
}

void CheckFairness(const MakeStore& make) {
  SECTION("a project with much to do takes turns with one that comes later") {
    StoreFixture mesh(make);
    for (int i = 0; i < 20; ++i)
      Ask(mesh, "many");
    mesh.clock.Advance(absl::Seconds(1));
    for (int i = 0; i < 3; ++i)
      Ask(mesh, "few");
    Ask(mesh, "one");
    const WorkerId worker = mesh.Worker("w");
    CHECK(ByProject(Claim(mesh, worker, 6)) ==
          std::map<std::string, int>{{"few", 2}, {"many", 3}, {"one", 1}});
    // Who has less in work comes first.
    CHECK(ByProject(Claim(mesh, worker, 2)) == std::map<std::string, int>{{"few", 1}, {"many", 1}});
    CHECK(Claim(mesh, worker, 100).size() == 16);
  }
  SECTION("the oldest of a project comes first") {
    StoreFixture mesh(make);
    std::vector<OperationId> asked;
    for (int i = 0; i < 4; ++i) {
      asked.push_back(Ask(mesh, "p"));
      mesh.clock.Advance(absl::Seconds(1));
    }
    const WorkerId worker = mesh.Worker("w");
    const auto claimed = Claim(mesh, worker, 2);
    REQUIRE(claimed.size() == 2);
    CHECK(claimed[0].operation.id == asked[0]);
    CHECK(claimed[1].operation.id == asked[1]);
  }
}

void CheckHosts(const MakeStore& make) {
  SECTION("what is beyond a host's limit waits for its turn and says so") {
    StoreFixture mesh(make);
    for (int i = 0; i < 5; ++i)
      Ask(mesh, "p");
    const WorkerId worker = mesh.Worker("w");
    const auto begun = Claim(mesh, worker, 10, 2);
    REQUIRE(begun.size() == 2);
    auto page = mesh.store->ListOperations(
        SoonCall(), {.project = ProjectId("p"), .states = {OperationState::kPending}}, "", 10);
    REQUIRE(page.ok());
    REQUIRE(page->operations.size() == 3);
    CHECK(page->operations[0].reason == "waits for its turn: 2 operations run on this host");
    CHECK(page->operations[0].waiting_since == mesh.clock.Now());
    // Not looked at again and again.
    auto idle = mesh.store->ClaimDue(SoonCall(), worker, {10, 2, kHost});
    REQUIRE(idle.ok());
    CHECK(idle->operations.empty());
    CHECK(idle->next_due == absl::InfiniteFuture());
    // One that waits for something still has its turn; one that ends gives it on.
    mesh.Wait(worker, begun[0].operation, "job:1");
    CHECK(Claim(mesh, worker, 10, 2).empty());
    mesh.Succeed(worker, begun[1].operation);
    const auto next = Claim(mesh, worker, 10, 2);
    REQUIRE(next.size() == 1);
    CHECK(next[0].operation.reason.empty());
    CHECK_FALSE(next[0].operation.waiting_since);
    // The limit is raised.
    CHECK(Claim(mesh, worker, 10, 4).size() == 2);
  }
  SECTION("turns on a host go round among projects, newcomers included") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    for (int i = 0; i < 6; ++i)
      Ask(mesh, "a");
    std::vector<ClaimedOperation> running = Claim(mesh, worker, 10, 1);
    REQUIRE(running.size() == 1);
    for (int i = 0; i < 2; ++i)
      Ask(mesh, "b");
    Ask(mesh, "c");
    CHECK(Claim(mesh, worker, 10, 1).empty());
    std::string order;
    while (!running.empty()) {
      mesh.Succeed(worker, running.front().operation);
      running = Claim(mesh, worker, 10, 1);
      REQUIRE(running.size() <= 1);
      if (!running.empty()) order += running.front().operation.project_id.value();
    }
    CHECK(order == "abcabaaa");
  }
  SECTION("a delete is not held back, and ends what waits for its turn") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    Ask(mesh, "p");
    REQUIRE(Claim(mesh, worker, 10, 1).size() == 1);
    const Accepted late = mesh.Create("p", "late");
    CHECK(Claim(mesh, worker, 10, 1).empty());
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(late.view.instance.id)).ok());
    const auto deleting = Claim(mesh, worker, 10, 1);
    REQUIRE(deleting.size() == 1);
    CHECK(deleting[0].operation.kind == "instance.delete");
  }
  SECTION("a cancel and a deadline reach what waits for its turn") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    Ask(mesh, "p");
    REQUIRE(Claim(mesh, worker, 10, 1).size() == 1);
    const OperationId cancelled = Ask(mesh, "p");
    NewInstance late = WantedInstance("p", "late");
    late.operation.deadline = mesh.clock.Now() + absl::Seconds(5);
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p"), late).ok());
    auto idle = mesh.store->ClaimDue(SoonCall(), worker, {10, 1, kHost});
    REQUIRE(idle.ok());
    CHECK(idle->operations.empty());
    CHECK(idle->next_due == late.operation.deadline);
    REQUIRE(mesh.store->CancelOperation(SoonCall(), Tenant("p"), cancelled).ok());
    const auto ending = Claim(mesh, worker, 10, 1);
    REQUIRE(ending.size() == 1);
    CHECK(ending[0].operation.id == cancelled);
    mesh.clock.Advance(absl::Seconds(5));
    const auto over = Claim(mesh, worker, 10, 1);
    REQUIRE(over.size() == 1);
    CHECK(over[0].operation.id == late.operation.id);
  }
  SECTION("a turn is free again when its holder is pre-empted, and kept when its worker dies") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    const Accepted first = mesh.Create("p", "first");
    REQUIRE(Claim(mesh, worker, 10, 1).size() == 1);
    const OperationId second = Ask(mesh, "p");
    CHECK(Claim(mesh, worker, 10, 1).empty());
    REQUIRE(mesh.store->ReleaseWorker(SoonCall(), worker).ok());
    const WorkerId heir = mesh.Worker("heir");
    const auto resumed = Claim(mesh, heir, 10, 1);
    REQUIRE(resumed.size() == 1);
    CHECK(resumed[0].operation.id == first.operation_id);
    REQUIRE(
        mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(first.view.instance.id)).ok());
    const auto next = Claim(mesh, heir, 10, 1);
    REQUIRE(next.size() == 2);
    CHECK((next[0].operation.id == second || next[1].operation.id == second));
  }
  SECTION("each host has turns of its own") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    const InstanceId there = mesh.Active("p", "there");
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), RestartOf(there)).ok());
    Operation restart = mesh.ClaimOne(worker).operation;
    REQUIRE(mesh.store
                ->WriteOperation(
                    SoonCall(), worker, {restart, {PlaceGuest{"process:other", "", 0}}, {}, false})
                .ok());
    mesh.Succeed(worker, restart, {SetTask{TaskStatus::kNone}});
    Ask(mesh, "p");
    REQUIRE(Claim(mesh, worker, 10, 1).size() == 1);
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), RestartOf(there)).ok());
    CHECK(Claim(mesh, worker, 10, 1).size() == 1);
  }
}

}  // namespace

void CheckStoreTurns(const MakeStore& make) {
  CheckFairness(make);
  CheckHosts(make);
}

}  // namespace trove
