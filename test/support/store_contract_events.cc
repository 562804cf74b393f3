#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

std::vector<std::string> Types(const std::vector<EventRecord>& events) {
  std::vector<std::string> types;
  for (const EventRecord& event : events)
    types.push_back(event.type);
  return types;
}

void CheckEvents(const MakeStore& make) {
  SECTION("what happens to an instance is told in order, with its version, and no secret") {
    StoreFixture mesh(make);
    NewInstance wanted = WantedInstance("p", "db \"quoted\"");
    wanted.operation.input = "sealed-secret";
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).ok());
    const InstanceId id = wanted.instance.id;
    const WorkerId worker = mesh.Worker("w");
    mesh.Succeed(worker,
                 mesh.ClaimOne(worker).operation,
                 {SetTask{TaskStatus::kNone},
                  SetService{ServiceStatus::kHealthy},
                  SetFault{"shown", "details-secret"}});
    REQUIRE(mesh.store->RenameInstance(SoonCall(), Tenant("p"), id, "new").ok());
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).ok());
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation, {BuryInstance{}});
    const std::vector<EventRecord> events = mesh.Events();
    CHECK(Types(events) == std::vector<std::string>{"trove.operation.accepted",
                                                    "trove.instance.created",
                                                    "trove.instance.status",
                                                    "trove.operation.ended",
                                                    "trove.instance.updated",
                                                    "trove.operation.accepted",
                                                    "trove.instance.status",
                                                    "trove.instance.deleted",
                                                    "trove.operation.ended"});
    std::int64_t position = 0;
    std::int64_t version = 0;
    for (const EventRecord& event : events) {
      CHECK(event.position == ++position);
      CHECK(event.project_id == ProjectId("p"));
      CHECK(event.at == mesh.clock.Now());
      CHECK(event.data.find("secret") == std::string::npos);
      if (event.resource == "instances") {
        CHECK(event.resource_id == id.value());
        CHECK(event.resource_version == ++version);
      }
    }
    CHECK(events[1].data ==
          R"({"name":"db \"quoted\"","status":"BUILD","operating_status":"","user":"user of p"})");
  }
  SECTION("a refused change tells nothing") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    const std::size_t before = mesh.Events().size();
    CHECK_FALSE(mesh.store->BeginAction(SoonCall(), Tenant("p"), RestartOf(id)).ok());
    CHECK(mesh.Events().size() == before);
  }
  SECTION("a reader goes on from its position and sees its project alone") {
    StoreFixture mesh(make);
    mesh.Create("p", "one");
    mesh.Create("q", "two");
    mesh.Create("p", "three");
    CHECK(mesh.store->ReadEvents(SoonCall(), {}, 0, 100).value().empty());
    CHECK(mesh.Events().size() == 6);
    const auto mine = mesh.store->ReadEvents(SoonCall(), {ProjectId("p")}, 0, 3);
    REQUIRE(mine.ok());
    REQUIRE(mine->size() == 3);
    const auto rest =
        mesh.store->ReadEvents(SoonCall(), {ProjectId("p")}, mine->back().position, 3);
    REQUIRE(rest.ok());
    REQUIRE(rest->size() == 1);
    CHECK(rest->front().position == 6);
  }
  SECTION("the relay gets each event until it says that it is published") {
    StoreFixture mesh(make);
    const WorkerId relay = mesh.Worker("relay");
    REQUIRE(mesh.store->HoldLease(SoonCall(), "events", relay, absl::Seconds(10)).value());
    mesh.Create("p", "one");
    const auto first = mesh.store->StampEvents(SoonCall(), relay, 10);
    REQUIRE(first.ok());
    REQUIRE(first->size() == 2);
    CHECK(Types(*mesh.store->StampEvents(SoonCall(), relay, 10)) == Types(*first));
    REQUIRE(mesh.store->MarkPublished(SoonCall(), relay, first->front().position).ok());
    const auto second = mesh.store->StampEvents(SoonCall(), relay, 10);
    REQUIRE(second.ok());
    REQUIRE(second->size() == 1);
    CHECK(second->front().id == first->back().id);
    REQUIRE(mesh.store->MarkPublished(SoonCall(), relay, 1000).ok());
    mesh.Create("p", "two");
    CHECK(mesh.store->StampEvents(SoonCall(), relay, 10).value().size() == 2);
  }
  SECTION("published events are kept seven days") {
    StoreFixture mesh(make);
    mesh.Create("p", "one");
    CHECK(mesh.Events().size() == 2);
    mesh.clock.Advance(absl::Hours(24 * 7) + absl::Seconds(1));
    mesh.Create("p", "two");
    const WorkerId relay = mesh.Worker("last relay");
    REQUIRE(mesh.store->HoldLease(SoonCall(), "events", relay, absl::Seconds(10)).value());
    REQUIRE(mesh.store->StampEvents(SoonCall(), relay, 10).ok());
    REQUIRE(mesh.store->MarkPublished(SoonCall(), relay, 4).ok());
    const auto left = mesh.store->ReadEvents(SoonCall(), {}, 0, 10);
    REQUIRE(left.ok());
    REQUIRE(left->size() == 2);
    CHECK(left->front().position == 3);
  }
}

void CheckLeases(const MakeStore& make) {
  SECTION("a named lease has one holder until it ends or is released") {
    StoreFixture mesh(make);
    const WorkerId one = mesh.Worker("one");
    const WorkerId two = mesh.Worker("two");
    const auto hold = [&](const WorkerId& worker) {
      return mesh.store->HoldLease(SoonCall(), "events", worker, absl::Seconds(2)).value();
    };
    CHECK(hold(one));
    CHECK_FALSE(hold(two));
    CHECK(hold(one));
    CHECK(absl::IsAborted(mesh.store->StampEvents(SoonCall(), two, 1).status()));
    CHECK(absl::IsAborted(mesh.store->MarkPublished(SoonCall(), two, 1)));
    mesh.clock.Advance(absl::Seconds(2));
    CHECK(absl::IsAborted(mesh.store->StampEvents(SoonCall(), one, 1).status()));
    CHECK(hold(two));
    CHECK_FALSE(hold(one));
    REQUIRE(mesh.store->ReleaseWorker(SoonCall(), two).ok());
    CHECK(hold(one));
    CHECK(absl::IsAborted(
        mesh.store->HoldLease(SoonCall(), "other", two, absl::Seconds(2)).status()));
  }
}

}  // namespace

void CheckStoreEvents(const MakeStore& make) {
  CheckEvents(make);
  CheckLeases(make);
}

void CheckStoreInParallel(const MakeStore& make) {
  SECTION("eight threads that write at once lose nothing, and quotas hold") {
    StoreFixture mesh(make);
    constexpr int kThreads = 8;
    constexpr int kEach = 6;
    std::atomic<int> accepted = 0;
    std::atomic<int> refused = 0;
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
          for (int i = 0; i < kEach; ++i) {
            const auto created =
                mesh.store->CreateInstance(SoonCall(), Tenant("p"), WantedInstance("p", "db"));
            if (created.ok()) ++accepted;
            if (absl::IsResourceExhausted(created.status())) ++refused;
          }
        });
      }
    }
    CHECK(accepted == 10);
    CHECK(refused == kThreads * kEach - 10);
    CHECK(mesh.store->ListInstances(SoonCall(), ProjectId("p"), InstanceId(), 100)
              .value()
              .instances.size() == 10);
    CHECK(mesh.Events().size() == 20);
  }
  SECTION("threads that claim at once share the operations out") {
    StoreFixture mesh(make);
    constexpr int kThreads = 8;
    for (int project = 0; project < 4; ++project) {
      for (int i = 0; i < 10; ++i)
        mesh.Create("p" + std::to_string(project), "db");
    }
    std::vector<std::vector<OperationId>> claimed(kThreads);
    for (int t = 0; t < kThreads; ++t)
      mesh.Worker("w" + std::to_string(t));
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          while (true) {
            const auto claims =
                mesh.store->ClaimDue(SoonCall(), WorkerId("w" + std::to_string(t)), {3});
            if (!claims.ok() || claims->operations.empty()) return;
            for (const ClaimedOperation& operation : claims->operations)
              claimed[static_cast<std::size_t>(t)].push_back(operation.operation.id);
          }
        });
      }
    }
    std::set<OperationId> all;
    std::size_t total = 0;
    for (const auto& each : claimed) {
      total += each.size();
      all.insert(each.begin(), each.end());
    }
    CHECK(total == 40);
    CHECK(all.size() == 40);
  }
  SECTION("one request sent by many at once is accepted once") {
    StoreFixture mesh(make);
    std::atomic<int> first = 0;
    std::atomic<int> repeated = 0;
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
          const auto created = mesh.store->CreateInstance(
              SoonCall(), Tenant("p", "r1", "f"), WantedInstance("p", "db"));
          if (created.ok()) ++(created->repeated ? repeated : first);
        });
      }
    }
    CHECK(first == 1);
    CHECK(repeated == 7);
  }
}

}  // namespace trove
