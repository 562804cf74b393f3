#include "test/support/memory_bus.h"

#include <atomic>
#include <future>
#include <memory>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <catch2/catch.hpp>

#include "test/support/bus_contract.h"
#include "test/support/eventually.h"

namespace trove {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(20);

TEST_CASE("MemoryBus keeps the Bus contract", "[unit][bus]") {
  CheckBusContract([] {
    auto here = std::make_unique<MemoryBus>();
    std::shared_ptr<MemoryBus> stream = here->Peer();
    auto there = here->Peer();
    return BusesUnderTest{std::move(here), std::move(there), [stream] {
                            return stream->events().size();
                          }};
  });
}

TEST_CASE("a MemoryBus that was cut refuses, and works again when mended", "[unit][bus]") {
  MemoryBus here;
  const std::unique_ptr<MemoryBus> there = here.Peer();
  const Subject job = *GuestJobSubject(GuestId("g"));
  const auto subscription =
      there->Subscribe(CallFor(kSoon), job, {}, [](const BusMessage& message) {
        message.reply("here").IgnoreError();  // seen by the asker
      });
  std::atomic<int> reconnects = 0;
  const auto listener = there->OnReconnect([&] { ++reconnects; });

  there->Cut();
  CHECK_FALSE(there->state().connected);
  CHECK(absl::IsUnavailable(there->Publish(CallFor(kSoon), job, "x")));
  CHECK(absl::IsUnavailable(there->EnsureEventStream(CallFor(kSoon))));
  CHECK(absl::IsUnavailable(here.Request(CallFor(kSoon), job, "x").status()));
  CHECK(absl::IsDeadlineExceeded(there->WaitUntilConnected(CallFor(absl::Milliseconds(1)))));

  there->Mend();
  CHECK(there->WaitUntilConnected(CallFor(kSoon)).ok());
  CHECK(there->state().connections == 2);
  CHECK(Eventually(kSoon, [&] { return reconnects == 1; }));
  CHECK(here.Request(CallFor(kSoon), job, "x").value() == "here");
}

TEST_CASE("cutting a MemoryBus ends the requests under way", "[unit][bus]") {
  MemoryBus bus;
  const Subject job = *GuestJobSubject(GuestId("g"));
  std::atomic<int> heard = 0;
  const auto subscription =
      bus.Subscribe(CallFor(kSoon), job, {}, [&](const BusMessage&) { ++heard; });
  auto answer = std::async(std::launch::async,
                           [&] { return bus.Request(CallFor(absl::Minutes(5)), job, "x"); });
  CHECK(Eventually(kSoon, [&] { return heard == 1; }));
  bus.Cut();
  CHECK(absl::IsUnavailable(answer.get().status()));
}

}  // namespace
}  // namespace trove
