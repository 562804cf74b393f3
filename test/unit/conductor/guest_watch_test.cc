#include "services/conductor/guest_watch.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/bus/subject.h"
#include "test/support/eventually.h"
#include "test/support/fake_clock.h"
#include "test/support/memory_bus.h"
#include "test/support/seeded_store.h"

namespace trove::conductor {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(10);
constexpr absl::Duration kExpiry = absl::Seconds(2);

Call SoonCall() {
  return CallFor(kSoon);
}

// A conductor on a store and a bus in memory, with one instance whose guest the test plays.
class Watched {
 public:
  Watched() : clock_(absl::Now()), store_(OpenSeededStore(clock_)) {
    const NewInstance wanted = NewSeededInstance("p1", "instance.create");
    guest_ = wanted.guest_id;
    const auto accepted = store_->CreateInstance(SoonCall(), SeededRequester("p1"), wanted);
    REQUIRE(accepted.ok());
    instance_ = accepted->view.instance.id;
    operation_ = accepted->operation_id;
  }

  void StartConductor() {
    watch_ = std::make_unique<GuestWatch>(
        *store_, bus_, clock_, WorkerId("conductor-1"), kExpiry, Log());
    REQUIRE(watch_->Start(SoonCall()).ok());
    REQUIRE(Eventually(kSoon, [&] { return watch_->status().shards.size() == 64; }));
  }

  mesh::v1::Heartbeat Beat(mesh::v1::ServerStatus status) {
    mesh::v1::Heartbeat beat;
    beat.set_guest_id(guest_.value());
    beat.set_incarnation(1);
    beat.set_sequence(++sequence_);
    beat.set_generation(1);
    beat.set_status(status);
    beat.set_agent_api(1);
    return beat;
  }
  void Send(const mesh::v1::Heartbeat& beat) {
    REQUIRE(
        bus_.Publish(SoonCall(), HeartbeatSubject(guest_).value(), beat.SerializeAsString()).ok());
  }

  Instance Get() {
    return store_->GetInstance(SoonCall(), std::nullopt, instance_).value().instance;
  }
  GuestWatchStatus status() const { return watch_->status(); }
  void StopConductor() { watch_.reset(); }

  FakeClock clock_;
  MemoryBus bus_;
  std::unique_ptr<Store> store_;
  GuestId guest_;
  InstanceId instance_;
  OperationId operation_;
  std::int64_t sequence_ = 0;

 private:
  std::unique_ptr<GuestWatch> watch_;
};

TEST_CASE("what a guest says of its server reaches the store", "[unit][conductor]") {
  Watched watched;
  watched.StartConductor();
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  CHECK(Eventually(kSoon, [&] { return watched.Get().service == ServiceStatus::kHealthy; }));
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_CRASHED));
  CHECK(Eventually(kSoon, [&] { return watched.Get().service == ServiceStatus::kCrashed; }));
}

TEST_CASE("a heartbeat that says nothing new costs the store nothing", "[unit][conductor]") {
  Watched watched;
  watched.StartConductor();
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  REQUIRE(Eventually(kSoon, [&] { return watched.Get().service == ServiceStatus::kHealthy; }));
  const std::int64_t version = watched.Get().version;
  for (int i = 0; i < 100; ++i)
    watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  REQUIRE(Eventually(kSoon, [&] { return watched.status().heartbeats == 101; }));
  CHECK(watched.Get().version == version);
}

TEST_CASE("the first word of a guest wakes its operation", "[unit][conductor]") {
  Watched watched;
  std::string woken;
  Mutex mutex;
  const auto subscription =
      watched.bus_.Subscribe(SoonCall(), TaskWakeSubject(), {}, [&](const BusMessage& message) {
        mesh::v1::TaskWake wake;
        wake.ParseFromString(message.payload);
        const MutexLock lock(mutex);
        woken = wake.operation_id();
      });
  REQUIRE(subscription.ok());
  // The operation waits for its guest, as a create does.
  REQUIRE(watched.store_->RenewWorker(SoonCall(), WorkerId("t"), absl::Seconds(10)).ok());
  auto claims = watched.store_->ClaimDue(SoonCall(), WorkerId("t"), {});
  REQUIRE(claims.ok());
  REQUIRE(claims->operations.size() == 1);
  Operation operation = claims->operations[0].operation;
  operation.state = OperationState::kWaiting;
  operation.awaited_signal = "guest.connected";
  operation.due_at = absl::InfiniteFuture();
  REQUIRE(watched.store_->WriteOperation(SoonCall(), WorkerId("t"), {.operation = operation}).ok());

  watched.StartConductor();
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_NEW));
  CHECK(Eventually(kSoon, [&] {
    const MutexLock lock(mutex);
    return woken == watched.operation_.value();
  }));
}

TEST_CASE("a guest speaks for itself alone", "[unit][conductor]") {
  Watched watched;
  watched.StartConductor();
  const GuestId other("0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11");
  const mesh::v1::Heartbeat lie = watched.Beat(mesh::v1::SERVER_STATUS_CRASHED);
  REQUIRE(watched.bus_.Publish(SoonCall(), HeartbeatSubject(other).value(), lie.SerializeAsString())
              .ok());
  REQUIRE(
      watched.bus_.Publish(SoonCall(), HeartbeatSubject(watched.guest_).value(), "garbage").ok());
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  REQUIRE(Eventually(kSoon, [&] { return watched.Get().service == ServiceStatus::kHealthy; }));
  CHECK(watched.status().heartbeats == 1);
}

TEST_CASE("an old word changes nothing", "[unit][conductor]") {
  Watched watched;
  watched.StartConductor();
  const mesh::v1::Heartbeat old = watched.Beat(mesh::v1::SERVER_STATUS_CRASHED);
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  REQUIRE(Eventually(kSoon, [&] { return watched.Get().service == ServiceStatus::kHealthy; }));
  watched.Send(old);
  REQUIRE(Eventually(kSoon, [&] { return watched.status().heartbeats == 2; }));
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  REQUIRE(Eventually(kSoon, [&] { return watched.status().heartbeats == 3; }));
  CHECK(watched.Get().service == ServiceStatus::kHealthy);
}

TEST_CASE("silence is stored, and ended by the next word", "[unit][conductor]") {
  Watched watched;
  watched.StartConductor();
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  REQUIRE(Eventually(kSoon, [&] { return watched.Get().service == ServiceStatus::kHealthy; }));
  // In small steps, so that the conductor renews its lease (3 s) meanwhile.
  CHECK(Eventually(kSoon, [&] {
    watched.clock_.Advance(absl::Milliseconds(15));
    return watched.Get().silent_since.has_value();
  }));
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  CHECK(Eventually(kSoon, [&] { return !watched.Get().silent_since.has_value(); }));
}

TEST_CASE("a conductor that lost the bus judges nobody before a whole expiry",
          "[unit][conductor]") {
  Watched watched;
  watched.StartConductor();
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  REQUIRE(Eventually(kSoon, [&] { return watched.Get().service == ServiceStatus::kHealthy; }));
  watched.bus_.Cut();
  for (int i = 0; i < 400; ++i)
    watched.clock_.Advance(absl::Milliseconds(50));
  REQUIRE(Eventually(kSoon, [&] { return !watched.status().judging; }));
  CHECK_FALSE(watched.Get().silent_since.has_value());
}

TEST_CASE("a conductor that ends gives its shards to the next at once", "[unit][conductor]") {
  Watched watched;
  watched.StartConductor();
  watched.StopConductor();
  watched.StartConductor();
  watched.Send(watched.Beat(mesh::v1::SERVER_STATUS_HEALTHY));
  CHECK(Eventually(kSoon, [&] { return watched.Get().service == ServiceStatus::kHealthy; }));
}

}  // namespace
}  // namespace trove::conductor
