#include "services/taskmanager/worker_lease.h"

#include <catch2/catch.hpp>

#include "test/support/eventually.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

WorkerLease::Options Quick() {
  WorkerLease::Options options;
  options.renew_every = absl::Milliseconds(20);
  return options;
}

TEST_CASE("a lease is kept as long as it is renewed", "[unit][taskmanager]") {
  const SystemClock clock;
  const auto store = OpenSeededStore(clock);
  WorkerLease lease(*store, Quick());
  REQUIRE(Eventually(absl::Seconds(5), [&] { return lease.Current() != nullptr; }));
  const auto term = lease.Current();
  const absl::Time first = lease.until();
  CHECK(Eventually(absl::Seconds(5),
                   [&] { return lease.until() > first + absl::Milliseconds(100); }));
  CHECK_FALSE(term->lost.stop_requested());
  CHECK(lease.Current()->id == term->id);
}

TEST_CASE("a lease that the store has ended is lost, and another name is taken",
          "[unit][taskmanager]") {
  FakeClock clock;
  const auto store = OpenSeededStore(clock);
  WorkerLease lease(*store, Quick());
  REQUIRE(Eventually(absl::Seconds(5), [&] { return lease.Current() != nullptr; }));
  const auto term = lease.Current();
  clock.Advance(absl::Seconds(3));  // as if this process had slept
  CHECK(Eventually(absl::Seconds(5), [&] { return term->lost.stop_requested(); }));
  CHECK(Eventually(absl::Seconds(5), [&] {
    const auto next = lease.Current();
    return next != nullptr && next->id != term->id && !next->lost.stop_requested();
  }));
}

TEST_CASE("an abandoned term is replaced, and only if it is the current one",
          "[unit][taskmanager]") {
  const SystemClock clock;
  const auto store = OpenSeededStore(clock);
  WorkerLease lease(*store, Quick());
  REQUIRE(Eventually(absl::Seconds(5), [&] { return lease.Current() != nullptr; }));
  const auto first = lease.Current();
  lease.Abandon(*first);
  CHECK(first->lost.stop_requested());
  REQUIRE(Eventually(absl::Seconds(5), [&] { return lease.Current() != nullptr; }));
  const auto second = lease.Current();
  CHECK(second->id != first->id);
  lease.Abandon(*first);
  CHECK_FALSE(second->lost.stop_requested());
}

TEST_CASE("a released lease frees what it held at once", "[unit][taskmanager]") {
  Scripted s;
  s.Accept();
  WorkerLease lease(*s.store, Quick());
  REQUIRE(Eventually(absl::Seconds(5), [&] { return lease.Current() != nullptr; }));
  const auto term = lease.Current();
  REQUIRE(s.store->ClaimDue(SoonCall(), term->id, {.operations = 10})->operations.size() == 1);
  CHECK(s.Claim().empty());
  lease.Release();
  CHECK(term->lost.stop_requested());
  CHECK(lease.Current() == nullptr);
  CHECK(s.Claim().size() == 1);
}

}  // namespace
}  // namespace trove::taskmanager
