#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite_store.h"
#include "test/support/eventually.h"
#include "test/support/store_fixture.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

constexpr char kMarker[] = "SEALED-BUT-STILL-NOT-TO-STAY";

// How often the marker stands in a file's bytes.
int Count(const std::string& path) {
  const auto bytes = ReadFile(path, std::size_t{1} << 30);
  REQUIRE(bytes.ok());
  int found = 0;
  for (std::size_t at = bytes->find(kMarker); at != std::string::npos;
       at = bytes->find(kMarker, at + 1))
    ++found;
  return found;
}

// Whether this one stays, among the pages of those that go.
bool Stays(int i) {
  return i % 3 == 0;
}

// Everything between a few bytes inside a page and a chain of overflow pages.
std::string Input(int i) {
  const std::size_t size = i % 2 == 0 ? static_cast<std::size_t>(i * i) : 0;
  std::string input = kMarker;
  while (input.size() < size)
    input += std::string(" ") + kMarker;
  return Stays(i) ? std::string(input.size(), 'x') : input;
}

}  // namespace

TEST_CASE("erased input leaves neither the database nor, when it is cut off, its log",
          "[unit][store]") {
  const bool by_effect = GENERATE(true, false);  // else by the operation's end
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  StoreFixture mesh([&](const Clock& clock) {
    return OpenSqliteStore({.path = path,
                            .clock = &clock,
                            .checkpoint = true,
                            .checkpoint_interval = absl::Milliseconds(10),
                            .truncate_interval = absl::Milliseconds(30)})
        .value();
  });
  for (int i = 0; i < 120; ++i) {
    NewInstance wanted = WantedInstance("p" + std::to_string(i % 20), "db");
    wanted.operation.input = Input(i);
    wanted.operation.memory = Stays(i) ? "stays" : "goes";
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).ok());
  }
  const bool stored = Eventually(absl::Seconds(5), [&] { return Count(path) > 75; });
  CHECK(stored);

  // Every second one first, so that pages are left half full.
  const WorkerId worker = mesh.Worker("w");
  std::vector<Operation> operations;
  for (int i = 0; i < 12; ++i) {
    const auto claims = mesh.store->ClaimDue(SoonCall(), worker, {10});
    REQUIRE(claims.ok());
    for (const ClaimedOperation& claimed : claims->operations) {
      if (claimed.operation.memory == "goes") operations.push_back(claimed.operation);
    }
  }
  REQUIRE(operations.size() == 80);
  for (const std::size_t parity : {0U, 1U}) {
    for (std::size_t i = parity; i < operations.size(); i += 2) {
      if (by_effect) {
        REQUIRE(mesh.store
                    ->WriteOperation(SoonCall(), worker, {operations[i], {EraseInput{}}, {}, false})
                    .ok());
      } else {
        mesh.Succeed(worker, operations[i]);
      }
    }
  }
  CHECK(
      Eventually(absl::Seconds(5), [&] { return Count(path) == 0 && Count(path + "-wal") == 0; }));
}

}  // namespace trove
