#include "libtrove/bus/nats_bus.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/integration/bus/bus_server.h"
#include "test/support/bus_contract.h"
#include "test/support/eventually.h"

namespace trove {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(20);

// How many messages the event stream has; 0 without a stream.
std::size_t StoredEvents(Bus& bus) {
  const auto info =
      bus.Request(CallFor(kSoon), Subject::Received("$JS.API.STREAM.INFO.trove_events"), "");
  static const std::string kBefore = "\"messages\":";
  const std::size_t at = info.ok() ? info->find(kBefore) : std::string::npos;
  if (at == std::string::npos) return 0;
  return std::strtoul(info->c_str() + at + kBefore.size(), nullptr, 10);
}

TEST_CASE("NatsBus keeps the Bus contract", "[integration][bus]") {
  CheckBusContract([] {
    const auto server = std::make_shared<BusServer>();
    const std::shared_ptr<Bus> asker = server->Connect(server->Everybody());
    return BusesUnderTest{server->Connect(server->Everybody()),
                          server->Connect(server->Everybody()),
                          [server, asker] {
                            return StoredEvents(*asker);
                          }};
  });
}

TEST_CASE("a NatsBus that cannot be is refused at once", "[integration][bus]") {
  const BusServer server;
  const auto connect = [](const NatsBusOptions& options) {
    return NatsBus::Connect(CallFor(kSoon), options).status();
  };
  NatsBusOptions options = server.Everybody();
  SECTION("without a server") {
    options.urls.clear();
    CHECK(absl::IsInvalidArgument(connect(options)));
  }
  SECTION("with a URL of another kind") {
    options.urls = {"http://127.0.0.1"};
    CHECK(absl::IsInvalidArgument(connect(options)));
  }
  SECTION("without the authority's file") {
    options.authority_file = "/nonexistent/ca.pem";
    CHECK(absl::IsNotFound(connect(options)));
  }
  SECTION("with a seed that is none") {
    options.credentials.seed = Secret("SUAAAA");
    CHECK(absl::IsInvalidArgument(connect(options)));
  }
  SECTION("without a JWT") {
    options.credentials.jwt.clear();
    CHECK(absl::IsInvalidArgument(connect(options)));
  }
  SECTION("with an inbox that hears others") {
    options.inbox_prefix = "_INBOX_*";
    CHECK(absl::IsInvalidArgument(connect(options)));
  }
}

TEST_CASE("a server that does not prove its name is not spoken to", "[integration][bus]") {
  const BusServer server;
  const BusServer stranger;
  NatsBusOptions options = server.Everybody();
  options.wait_for_first_connection = true;
  SECTION("another name") {
    options.server_name = "api.trove.internal";
  }
  SECTION("another authority") {
    options.authority_file = stranger.Everybody().authority_file;
  }
  const auto bus = NatsBus::Connect(CallFor(absl::Milliseconds(500)), options);
  CHECK(absl::IsDeadlineExceeded(bus.status()));
}

TEST_CASE("a login that the server does not know is refused, and seen", "[integration][bus]") {
  const BusServer server;
  const BusServer stranger;
  NatsBusOptions options = server.Everybody();
  options.credentials = stranger.Everybody().credentials;
  const auto bus = NatsBus::Connect(CallFor(kSoon), options);
  REQUIRE(bus.ok());
  CHECK(Eventually(kSoon, [&] { return absl::IsUnauthenticated((*bus)->state().last_error); }));
  CHECK_FALSE((*bus)->state().connected);
  CHECK(absl::IsUnavailable((*bus)->Publish(CallFor(kSoon), TaskWakeSubject(), "x")));
}

TEST_CASE("an expired login is replaced without help", "[integration][bus]") {
  const BusServer server;
  const std::unique_ptr<NatsBus> bus = server.Connect(server.EverybodyFor(absl::Seconds(3)));
  const NatsBusOptions fresh = server.Everybody();
  REQUIRE(bus->ReplaceCredentials(fresh.credentials).ok());
  CHECK(Eventually(kSoon, [&] { return bus->state().connections == 2; }));
  CHECK(bus->state().connected);
  CHECK(absl::IsInvalidArgument(bus->ReplaceCredentials({"jwt", Secret("no seed")})));
}

TEST_CASE("a stream of another configuration is mended", "[integration][bus]") {
  const BusServer server;
  const std::unique_ptr<NatsBus> bus = server.Connect(server.Everybody());
  REQUIRE(bus->Request(CallFor(kSoon),
                       Subject::Received("$JS.API.STREAM.CREATE.trove_events"),
                       R"({"name":"trove_events","subjects":["elsewhere"],"storage":"file",)"
                       R"("retention":"limits","num_replicas":1})")
              .ok());
  const Subject event = *EventSubject(ProjectId("p"), "instance", "i");
  CHECK(absl::IsUnavailable(bus->PublishEvent(CallFor(kSoon), event, "x", EventId("1"))));
  const absl::Status mended = bus->EnsureEventStream(CallFor(kSoon));
  CAPTURE(mended.ToString());
  CHECK(mended.ok());
  CHECK(bus->PublishEvent(CallFor(kSoon), event, "x", EventId("1")).ok());
  CHECK(StoredEvents(*bus) == 1);
}

// Late callbacks of the library must find nothing that has ended: run this with AddressSanitizer.
TEST_CASE("connections and subscriptions end in the middle of their traffic",
          "[integration][bus]") {
  const BusServer server;
  const std::unique_ptr<NatsBus> talker = server.Connect(server.Everybody());
  std::jthread talking([&](const std::stop_token& stop) {
    const std::string payload(100, 'x');
    while (!stop.stop_requested()) {
      talker->Publish(CallFor(kSoon), TaskWakeSubject(), payload).IgnoreError();  // noise
    }
  });
  std::atomic<int> heard = 0;
  for (int round = 0; round < 20; ++round) {
    std::unique_ptr<NatsBus> bus = server.Connect(server.Everybody());
    std::vector<std::unique_ptr<Subscription>> subscriptions;
    for (int i = 0; i < 5; ++i) {
      auto subscription =
          bus->Subscribe(CallFor(kSoon),
                         TaskWakeSubject(),
                         {.capacity_messages = 4, .overflow = Overflow::kDropOldest},
                         [&heard](const BusMessage&) { ++heard; });
      REQUIRE(subscription.ok());
      subscriptions.push_back(*std::move(subscription));
    }
    const int before = heard;
    CHECK(Eventually(kSoon, [&] { return heard > before; }));
    if (round % 2 == 0) subscriptions.clear();
    bus.reset();
  }
}

}  // namespace
}  // namespace trove
