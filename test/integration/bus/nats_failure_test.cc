#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <catch2/catch.hpp>

#include "libtrove/bus/nats_bus.h"
#include "test/integration/bus/bus_server.h"
#include "test/support/eventually.h"

namespace trove {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(30);

const GuestId kGuest("8b7f0f4e-52a1-4a7e-9d0e-111111111111");

std::unique_ptr<Subscription> Answer(Bus& bus, const Subject& subject) {
  auto subscription = bus.Subscribe(CallFor(kSoon), subject, {}, [](const BusMessage& message) {
    if (message.can_reply()) message.reply("here").IgnoreError();  // seen by the asker
  });
  REQUIRE(subscription.ok());
  return *std::move(subscription);
}

bool Answers(Bus& bus, const Subject& subject) {
  const auto answer = bus.Request(CallFor(absl::Seconds(2)), subject, "x");
  return answer.ok() && *answer == "here";
}

TEST_CASE("a server that was killed and comes back is used again without help",
          "[integration][bus]") {
  BusServer server;
  const Subject job = *GuestJobSubject(kGuest);
  const Subject event = *EventSubject(ProjectId("p"), "instance", "i");
  const std::unique_ptr<NatsBus> asker = server.Connect(server.Everybody());
  const std::unique_ptr<NatsBus> answerer = server.Connect(server.Everybody());
  const auto answers = Answer(*answerer, job);
  std::atomic<int> wakes = 0;
  const auto group = answerer->Subscribe(
      CallFor(kSoon), TaskWakeSubject(), {.queue_group = "taskmanagers"}, [&](const BusMessage&) {
        ++wakes;
      });
  REQUIRE(group.ok());
  std::atomic<int> told = 0;
  const auto listener = asker->OnReconnect([&] { ++told; });
  REQUIRE(asker->EnsureEventStream(CallFor(kSoon)).ok());
  REQUIRE(asker->PublishEvent(CallFor(kSoon), event, "before", EventId("1")).ok());
  REQUIRE(Answers(*asker, job));

  for (int crash = 1; crash <= 2; ++crash) {
    CAPTURE(crash);
    server.nats().Kill();
    CHECK(Eventually(kSoon, [&] { return !asker->state().connected; }));
    CHECK(Eventually(kSoon, [&] { return !answerer->state().connected; }));
    CHECK_FALSE(asker->state().last_error.ok());

    const absl::Time start = absl::Now();
    CHECK(absl::IsUnavailable(asker->Request(CallFor(absl::Minutes(5)), job, "x").status()));
    CHECK(absl::IsUnavailable(asker->Publish(CallFor(absl::Minutes(5)), job, "x")));
    CHECK(absl::IsUnavailable(asker->EnsureEventStream(CallFor(absl::Minutes(5)))));
    CHECK(absl::IsUnavailable(
        asker->PublishEvent(CallFor(absl::Minutes(5)), event, "x", EventId("2"))));
    CHECK(absl::Now() - start < kSoon);

    const std::string text = "subscribed in the dark";
    std::atomic<int> late = 0;
    const auto subscription = answerer->Subscribe(
        CallFor(kSoon), *HeartbeatSubject(kGuest), {}, [&](const BusMessage&) { ++late; });
    CHECK(subscription.ok());

    REQUIRE(server.nats().Restart().ok());
    CHECK(asker->WaitUntilConnected(CallFor(kSoon)).ok());
    CHECK(answerer->WaitUntilConnected(CallFor(kSoon)).ok());
    CHECK(Answers(*asker, job));
    const int before = wakes;
    CHECK(asker->Publish(CallFor(kSoon), TaskWakeSubject(), "x").ok());
    CHECK(asker->Publish(CallFor(kSoon), *HeartbeatSubject(kGuest), "x").ok());
    CHECK(Eventually(kSoon, [&] { return wakes == before + 1 && late == 1; }));
    CHECK(Eventually(kSoon, [&] { return told == crash; }));
    // JetStream may take a moment longer than the server.
    CHECK(Eventually(kSoon, [&] {
      return asker->PublishEvent(CallFor(kSoon), event, "after", EventId("2")).ok();
    }));
    CHECK(asker->state().connections == static_cast<std::uint64_t>(crash) + 1);
  }
}

TEST_CASE("a request under way ends when the server dies", "[integration][bus]") {
  BusServer server;
  const Subject job = *GuestJobSubject(kGuest);
  const std::unique_ptr<NatsBus> bus = server.Connect(server.Everybody());
  std::atomic<int> heard = 0;
  const auto silent = bus->Subscribe(CallFor(kSoon), job, {}, [&](const BusMessage&) { ++heard; });
  REQUIRE(silent.ok());
  auto answer = std::async(std::launch::async,
                           [&] { return bus->Request(CallFor(absl::Minutes(5)), job, "x"); });
  CHECK(Eventually(kSoon, [&] { return heard == 1; }));
  server.nats().Kill();
  CHECK(absl::IsUnavailable(answer.get().status()));
}

TEST_CASE("requests meet a server that dies again and again, and none hangs",
          "[integration][bus]") {
  BusServer server;
  const Subject job = *GuestJobSubject(kGuest);
  const std::unique_ptr<NatsBus> asker = server.Connect(server.Everybody());
  const std::unique_ptr<NatsBus> answerer = server.Connect(server.Everybody());
  const auto answers = Answer(*answerer, job);
  std::atomic<int> good = 0;
  std::atomic<int> strange = 0;
  std::atomic<int> slow = 0;
  {
    std::vector<std::jthread> askers;
    askers.reserve(4);
    for (int i = 0; i < 4; ++i) {
      askers.emplace_back([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const Call call = CallFor(absl::Milliseconds(500));
          const auto answer = asker->Request(call, job, "x");
          if (absl::Now() > call.deadline + absl::Seconds(10)) ++slow;
          if (answer.ok()) {
            ++good;
          } else if (!absl::IsUnavailable(answer.status()) &&
                     !absl::IsDeadlineExceeded(answer.status())) {
            ++strange;
          }
        }
      });
    }
    for (int crash = 0; crash < 3; ++crash) {
      const int before = good;
      CHECK(Eventually(kSoon, [&] { return good > before + 10; }));
      server.nats().Kill();
      REQUIRE(server.nats().Restart().ok());
    }
    const int before = good;
    CHECK(Eventually(kSoon, [&] { return good > before + 10; }));
  }
  CHECK(strange == 0);
  CHECK(slow == 0);
}

TEST_CASE("a server that says nothing any more is left, and found again", "[integration][bus]") {
  BusServer server;
  const Subject job = *GuestJobSubject(kGuest);
  NatsBusOptions options = server.Everybody();
  options.ping_interval = absl::Milliseconds(300);
  options.connect_timeout = absl::Milliseconds(500);
  const std::unique_ptr<NatsBus> bus = server.Connect(options);
  const auto answers = Answer(*bus, job);
  server.nats().Freeze();
  const absl::Time start = absl::Now();
  const auto answer = bus->Request(CallFor(absl::Milliseconds(100)), job, "x");
  // On a busy machine the server may be given up before.
  CHECK((absl::IsDeadlineExceeded(answer.status()) || absl::IsUnavailable(answer.status())));
  CHECK(Eventually(kSoon, [&] { return !bus->state().connected; }));
  CHECK(absl::IsUnavailable(bus->Request(CallFor(absl::Minutes(5)), job, "x").status()));
  CHECK(absl::Now() - start < kSoon);
  server.nats().Thaw();
  CHECK(Eventually(kSoon, [&] { return Answers(*bus, job); }));
}

TEST_CASE("connecting does not need the server", "[integration][bus]") {
  BusServer server;
  const NatsBusOptions options = server.Everybody();
  server.nats().Kill();

  NatsBusOptions impatient = options;
  impatient.wait_for_first_connection = true;
  CHECK(absl::IsDeadlineExceeded(
      NatsBus::Connect(CallFor(absl::Milliseconds(200)), impatient).status()));

  const auto bus = NatsBus::Connect(CallFor(kSoon), options);
  REQUIRE(bus.ok());
  CHECK_FALSE((*bus)->state().connected);
  const Subject job = *GuestJobSubject(kGuest);
  CHECK(absl::IsUnavailable((*bus)->Request(CallFor(absl::Minutes(5)), job, "x").status()));
  const auto answers = Answer(**bus, job);
  std::atomic<int> told = 0;
  const auto listener = (*bus)->OnReconnect([&] { ++told; });

  REQUIRE(server.nats().Restart().ok());
  CHECK((*bus)->WaitUntilConnected(CallFor(kSoon)).ok());
  CHECK(Eventually(kSoon, [&] { return told == 1; }));
  CHECK(Answers(**bus, job));
}

TEST_CASE("the second of two servers is used when the first is down", "[integration][bus]") {
  BusServer down;
  const BusServer server;
  NatsBusOptions options = server.Everybody();
  options.urls.insert(options.urls.begin(), down.nats().url());
  down.nats().Kill();
  const std::unique_ptr<NatsBus> bus = server.Connect(options);
  CHECK(bus->state().connections == 1);
}

TEST_CASE("a bus ends while nothing answers", "[integration][bus]") {
  BusServer server;
  std::unique_ptr<NatsBus> bus = server.Connect(server.Everybody());
  SECTION("the server is gone") {
    server.nats().Kill();
  }
  SECTION("the server is silent") {
    server.nats().Freeze();
  }
  const absl::Time start = absl::Now();
  bus.reset();
  CHECK(absl::Now() - start < kSoon);
}

}  // namespace
}  // namespace trove
