#include "services/taskmanager/event_relay.h"

#include <memory>

#include <catch2/catch.hpp>

#include "trove/mesh/v1/bus.pb.h"

#include "test/support/eventually.h"
#include "test/support/memory_bus.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

struct Relayed {
  std::unique_ptr<EventRelay> Start() {
    return std::make_unique<EventRelay>(
        *store,
        bus,
        lease,
        EventRelay::Options{.source = "/trove/x", .look_every = absl::Milliseconds(20)});
  }

  void Change() {
    const NewInstance made = NewSeededInstance("p1", "instance.create");
    TROVE_CHECK(store->CreateInstance(SoonCall(), SeededRequester("p1"), made).ok());
  }

  std::vector<EventRecord> Stored() {
    auto read = store->ReadEvents(SoonCall(), EventFilter{}, 0, 1000);
    TROVE_CHECK(read.ok());
    return *std::move(read);
  }

  bool AllPublished() {
    return Eventually(absl::Seconds(10), [&] {
      const auto counts = store->CountEngine(SoonCall(), WorkerId("x"));
      return counts.ok() && counts->events_waiting == 0;
    });
  }

  SystemClock clock;
  std::unique_ptr<Store> store = OpenSeededStore(clock);
  MemoryBus bus;
  WorkerLease lease{*store, {}};
};

TEST_CASE("events are published once each, in order, by whichever relay has the lease",
          "[unit][taskmanager]") {
  Relayed r;
  const auto one = r.Start();
  const auto two = r.Start();
  for (int i = 0; i < 20; ++i)
    r.Change();
  REQUIRE(r.AllPublished());
  const auto stored = r.Stored();
  const auto published = r.bus.events();
  REQUIRE(published.size() == stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i)
    CHECK(published[i].msg_id == stored[i].id);
}

TEST_CASE("events wait for the bus and for the next relay", "[unit][taskmanager]") {
  Relayed r;
  r.bus.Cut();
  auto relay = r.Start();
  r.Change();
  CHECK(Eventually(absl::Seconds(5), [&] { return !r.Stored().empty(); }));
  CHECK(r.bus.events().empty());
  relay.reset();
  r.bus.Mend();
  r.Change();
  relay = r.Start();
  REQUIRE(r.AllPublished());
  CHECK(r.bus.events().size() == r.Stored().size());
}

}  // namespace
}  // namespace trove::taskmanager
