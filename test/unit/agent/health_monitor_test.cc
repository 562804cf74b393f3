#include <catch2/catch.hpp>

#include "libtrove/base/check.h"
#include "libtrove/base/uuid.h"
#include "libtrove/bus/subject.h"
#include "test/support/eventually.h"
#include "test/unit/agent/guest_lane.h"

namespace trove::agent {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

// A monitor whose interval no test waits for, and what it told.
struct Watched {
  Watched() {
    config.guest_id = NewUuid();
    config.volume_dir = folder.path();
    config.volume_size_gib = 2;
    config.heartbeat_interval_ms = 60'000;
    state = *GuestState::Open(folder.path());
    subscription = *conductor->Subscribe(
        CallFor(kPatience), AnyHeartbeatSubject(), {}, [this](const BusMessage& message) {
          const MutexLock lock(mutex);
          TROVE_CHECK(told.emplace_back().ParseFromString(message.payload));
        });
    monitor = std::make_unique<HealthMonitor>(config, *state, datastore, bus, Log());
  }

  std::size_t count() {
    const MutexLock lock(mutex);
    return told.size();
  }
  bool Tells(mesh::v1::ServerStatus status) {
    return Eventually(kPatience, [&] {
      const MutexLock lock(mutex);
      return !told.empty() && told.back().status() == status;
    });
  }

  const TemporaryDirectory folder;
  AgentConfig config;
  FakeDatastore datastore;
  MemoryBus bus;
  std::unique_ptr<MemoryBus> conductor = bus.Peer();
  std::unique_ptr<GuestState> state;
  Mutex mutex;
  std::vector<mesh::v1::Heartbeat> told TROVE_GUARDED_BY(mutex);
  std::unique_ptr<Subscription> subscription;
  std::unique_ptr<HealthMonitor> monitor;
};

TEST_CASE("a change of the server is told at once and not at the next interval", "[unit][agent]") {
  Watched guest;
  CHECK(guest.count() == 0);  // nothing before Start, as jobs are not taken yet
  guest.monitor->Start();
  CHECK(guest.Tells(mesh::v1::SERVER_STATUS_NEW));
  guest.monitor->SetActivity(mesh::v1::SERVER_STATUS_BUILDING);
  CHECK(guest.Tells(mesh::v1::SERVER_STATUS_BUILDING));
  REQUIRE(guest.state->SetPrepared().ok());
  guest.monitor->SetActivity(mesh::v1::SERVER_STATUS_UNSPECIFIED);
  CHECK(guest.Tells(mesh::v1::SERVER_STATUS_HEALTHY));
  const auto [state, status] = GENERATE(table<ServerState, mesh::v1::ServerStatus>({
      {ServerState::kDown, mesh::v1::SERVER_STATUS_SHUTDOWN},
      {ServerState::kCrashed, mesh::v1::SERVER_STATUS_CRASHED},
      {ServerState::kStarting, mesh::v1::SERVER_STATUS_RUNNING},
      {ServerState::kBlocked, mesh::v1::SERVER_STATUS_BLOCKED},
  }));
  guest.datastore.SetHealth({state, "because", ""});
  CHECK(guest.Tells(status));
  const mesh::v1::Heartbeat last = guest.monitor->last();
  CHECK(last.message() == "because");
  CHECK(last.guest_id() == guest.config.guest_id);
  CHECK(last.incarnation() == guest.state->incarnation());
  CHECK(last.sequence() > 1);
  CHECK(last.volume_size_bytes() == std::int64_t{2} << 30);
  CHECK(last.volume_used_bytes() > 0);
  CHECK_FALSE(last.boot_id().empty());
}

TEST_CASE("a heartbeat that was lost with the bus is told when it is back", "[unit][agent]") {
  Watched guest;
  guest.bus.Cut();
  guest.monitor->Start();
  REQUIRE(Eventually(kPatience, [&] { return guest.monitor->last().sequence() > 0; }));
  CHECK(guest.count() == 0);
  guest.bus.Mend();
  guest.monitor->Kick();
  CHECK(guest.Tells(mesh::v1::SERVER_STATUS_NEW));
}

}  // namespace
}  // namespace trove::agent
