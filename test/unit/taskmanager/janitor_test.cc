#include "services/taskmanager/janitor.h"

#include <catch2/catch.hpp>

#include "test/support/eventually.h"
#include "test/support/forwarding_store.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

/// Has so many rows to forget, and counts how they were asked for.
class Attic final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::atomic<int> rows = 0;
  std::atomic<int> bites = 0;
  std::atomic<int> largest = 0;

  absl::StatusOr<int> Purge(const Call& /*call*/, const Retention& /*kept*/, int limit) override {
    ++bites;
    largest = std::max(largest.load(), limit);
    const int gone = std::min(rows.load(), limit);
    rows -= gone;
    return gone;
  }
};

TEST_CASE("old rows are forgotten in small bites, by one task manager", "[unit][taskmanager]") {
  const SystemClock clock;
  const std::unique_ptr<Store> store = OpenSeededStore(clock);
  Attic attic(*store);
  attic.rows = 25;
  WorkerLease lease(attic, {});
  WorkerLease other_lease(attic, {});
  REQUIRE(Eventually(absl::Seconds(5), [&] {
    return lease.Current() != nullptr && other_lease.Current() != nullptr;
  }));
  Janitor janitor(attic, lease, {.kept = {}, .every = absl::Hours(1), .bite = 10});
  Janitor other(attic, other_lease, {.kept = {}, .every = absl::Hours(1), .bite = 10});
  CHECK(janitor.CleanUp(SoonCall()).value() == 25);
  CHECK(attic.bites == 3);
  CHECK(attic.largest == 10);
  attic.rows = 5;
  CHECK(other.CleanUp(SoonCall()).value() == 0);
  CHECK(attic.rows == 5);
}

TEST_CASE("old rows are looked for again and again", "[unit][taskmanager]") {
  const SystemClock clock;
  const std::unique_ptr<Store> store = OpenSeededStore(clock);
  Attic attic(*store);
  WorkerLease lease(attic, {});
  Janitor janitor(attic, lease, {.kept = {}, .every = absl::Milliseconds(10), .bite = 10});
  CHECK(Eventually(absl::Seconds(5), [&] { return attic.bites > 2; }));
  attic.rows = 100;
  CHECK(Eventually(absl::Seconds(5), [&] { return attic.rows == 0; }));
}

}  // namespace
}  // namespace trove::taskmanager
