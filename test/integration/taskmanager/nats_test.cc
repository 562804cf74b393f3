#include <catch2/catch.hpp>

#include "test/integration/bus/bus_server.h"
#include "test/integration/taskmanager/small_mesh.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

TEST_CASE("creates go on over a nats-server that is killed in the middle",
          "[integration][taskmanager]") {
  BusServer server;
  const auto task_manager_bus = server.Connect(server.Service("taskmanager"));
  const auto conductor_bus = server.Connect(server.Service("conductor"));
  // All guests on one connection: their own users may not.
  const auto guests_bus = server.Connect(server.Everybody());
  SimulatedGuests::Options options;
  options.job_time = absl::Milliseconds(100);
  SmallMesh mesh({task_manager_bus.get(), conductor_bus.get(), guests_bus.get()},
                 std::move(options));
  mesh.StartTaskManager();
  std::vector<NewInstance> made;
  for (int i = 0; i < 20; ++i) {
    made.push_back(mesh.NewCreate());
    mesh.Create(made.back());
  }
  REQUIRE(Eventually(absl::Seconds(30), [&] { return mesh.provisioner.running().size() > 5; }));
  server.nats().Kill();
  for (int i = 0; i < 5; ++i) {
    made.push_back(mesh.NewCreate());
    mesh.Create(made.back());
  }
  CHECK(Eventually(absl::Seconds(30), [&] { return mesh.provisioner.running().size() == 25; }));
  REQUIRE(server.nats().Restart().ok());
  for (const NewInstance& each : made) {
    CAPTURE(each.operation.id.value());
    CHECK(mesh.BecomesActive(each));
  }
  // The events of the time without a bus arrive after it.
  CHECK(Eventually(absl::Seconds(30), [&] {
    const auto counts = mesh.store().CountEngine(CallFor(absl::Seconds(5)), WorkerId("x"));
    return counts.ok() && counts->events_waiting == 0;
  }));
}

}  // namespace
}  // namespace trove::taskmanager
