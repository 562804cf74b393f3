#include <catch2/catch.hpp>

#include "libtrove/model/instance_state.h"
#include "test/integration/taskmanager/small_mesh.h"
#include "test/support/eventually.h"
#include "test/support/memory_bus.h"

namespace trove::taskmanager {
namespace {

struct MemoryMesh {
  MemoryBus task_manager_bus;
  std::unique_ptr<MemoryBus> conductor_bus = task_manager_bus.Peer();
  std::unique_ptr<MemoryBus> guests_bus = task_manager_bus.Peer();
  SmallMesh mesh{{&task_manager_bus, conductor_bus.get(), guests_bus.get()}};
};

TEST_CASE("two task managers share the work and one goes on when the other stops",
          "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.provisioner.SetDelay("EnsureVolume", absl::Milliseconds(20));
  mesh.StartTaskManager();
  TaskManager& second = mesh.StartTaskManager();
  std::vector<NewInstance> made;
  for (int i = 0; i < 60; ++i) {
    made.push_back(mesh.NewCreate());
    mesh.Create(made.back());
  }
  REQUIRE(Eventually(absl::Seconds(20), [&] { return mesh.provisioner.running().size() > 10; }));
  mesh.StopTaskManager();
  for (const NewInstance& each : made) {
    CAPTURE(each.operation.id.value());
    CHECK(mesh.BecomesActive(each));
    CHECK(mesh.guests->jobs(each.guest_id).size() == 1);
  }
  const auto status = second.GetStatus(CallFor(absl::Seconds(5)));
  REQUIRE(status.ok());
  CHECK(status->finished > 0);
  CHECK_FALSE(status->worker.empty());
  CHECK(status->counts.open_operations == 0);
}

TEST_CASE("what a dead worker held is taken over when its lease ends",
          "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  // A process that claims and dies: nobody renews its lease.
  const WorkerId dead("dead");
  const Call call = CallFor(absl::Seconds(5));
  REQUIRE(mesh.store().RenewWorker(call, dead, absl::Seconds(2)).ok());
  const auto claims = mesh.store().ClaimDue(call, dead, {.operations = 10});
  REQUIRE(claims.ok());
  REQUIRE(claims->operations.size() == 1);
  const absl::Time died = absl::Now();
  mesh.StartTaskManager();
  REQUIRE(mesh.BecomesActive(made));
  CHECK(absl::Now() - died < absl::Seconds(10));
}

TEST_CASE("a host that lost its processes gets them back", "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.options.reconcile_every = absl::Milliseconds(200);
  mesh.StartTaskManager();
  std::vector<NewInstance> made;
  for (int i = 0; i < 3; ++i) {
    made.push_back(mesh.NewCreate());
    mesh.Create(made.back());
  }
  for (const NewInstance& each : made)
    REQUIRE(mesh.BecomesActive(each));

  SECTION("one keeper is killed") {
    mesh.provisioner.KillProcesses(made[1].guest_id);
    CHECK(Eventually(absl::Seconds(20),
                     [&] { return mesh.provisioner.running().contains(made[1].guest_id); }));
  }
  SECTION("the host is rebooted") {
    const auto ports = mesh.provisioner.ports();
    mesh.StopTaskManager();
    mesh.provisioner.Reboot();
    CHECK(mesh.provisioner.running().empty());
    mesh.StartTaskManager();
    CHECK(mesh.provisioner.ports() == ports);
    CHECK(Eventually(absl::Seconds(20), [&] { return mesh.provisioner.running().size() == 3; }));
    // A new one does not get the port of another.
    const NewInstance more = mesh.NewCreate();
    mesh.Create(more);
    CHECK(mesh.BecomesActive(more));
    CHECK(mesh.provisioner.ports().size() == 4);
  }
  SECTION("a guest that the store does not know is removed") {
    mesh.provisioner.AddStranger({GuestId("stranger"), InstanceId("nobody's"), 1});
    CHECK(Eventually(absl::Seconds(20),
                     [&] { return !mesh.provisioner.guests().contains(GuestId("stranger")); }));
    CHECK(mesh.provisioner.running().size() == 3);
  }
}

TEST_CASE("a thousand creates at a time end within their bound", "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.StartTaskManager();
  constexpr int kCount = 1000;
  std::vector<NewInstance> made;
  const absl::Time began = absl::Now();
  for (int i = 0; i < kCount; ++i) {
    made.push_back(mesh.NewCreate("p" + std::to_string(i)));
    mesh.Create(made.back());
  }
  CHECK(Eventually(absl::Minutes(2), [&] {
    const auto counts = mesh.store().CountEngine(CallFor(absl::Seconds(5)), WorkerId("x"));
    return counts.ok() && counts->open_operations == 0;
  }));
  WARN("1000 creates took " << absl::FormatDuration(absl::Now() - began));
  int active = 0;
  for (const NewInstance& each : made)
    active += mesh.Get(each.operation.id).state == OperationState::kSucceeded ? 1 : 0;
  CHECK(active == kCount);
  CHECK(mesh.provisioner.ports().size() == kCount);
}

}  // namespace
}  // namespace trove::taskmanager
