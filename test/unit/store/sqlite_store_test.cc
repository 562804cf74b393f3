#include "libtrove/store/sqlite_store.h"

#include <fstream>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite/connection.h"
#include "test/support/store_contract.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

std::unique_ptr<Store> InMemory(const Clock& clock) {
  auto store = OpenSqliteStore({.path = ":memory:", .clock = &clock});
  INFO(store.status());
  REQUIRE(store.ok());
  return *std::move(store);
}

// A folder for one test case, and stores in it.
class Files {
 public:
  std::string NewPath() { return directory_ / (std::to_string(++count_) + ".db"); }
  std::unique_ptr<Store> Make(const Clock& clock) {
    const std::string path = NewPath();
    REQUIRE(Migrate(path).ok());
    auto store = OpenSqliteStore({.path = path, .clock = &clock, .checkpoint = true});
    INFO(store.status());
    REQUIRE(store.ok());
    return *std::move(store);
  }

 private:
  TemporaryDirectory directory_;
  int count_ = 0;
};

}  // namespace

TEST_CASE("SqliteStore in memory serves tenants as the Store contract says", "[unit][store]") {
  CheckStoreForTenants(InMemory);
}

TEST_CASE("SqliteStore in memory accepts changes as the Store contract says", "[unit][store]") {
  CheckStoreAccepts(InMemory);
}

TEST_CASE("SqliteStore in memory serves the engine as the Store contract says", "[unit][store]") {
  CheckStoreForEngine(InMemory);
}

TEST_CASE("SqliteStore in memory cancels and retries as the Store contract says", "[unit][store]") {
  CheckStoreControl(InMemory);
}

TEST_CASE("SqliteStore in memory gives turns as the Store contract says", "[unit][store]") {
  CheckStoreTurns(InMemory);
}

TEST_CASE("SqliteStore in memory keeps groups and locks as the Store contract says",
          "[unit][store]") {
  CheckStoreConfigurations(InMemory);
}

TEST_CASE("SqliteStore in memory keeps records as the Store contract says", "[unit][store]") {
  CheckStoreRecords(InMemory);
}

TEST_CASE("SqliteStore in memory serves conductors as the Store contract says", "[unit][store]") {
  CheckStoreForConductor(InMemory);
}

TEST_CASE("SqliteStore in memory keeps events as the Store contract says", "[unit][store]") {
  CheckStoreEvents(InMemory);
}

TEST_CASE("SqliteStore in memory bears many threads", "[unit][store]") {
  CheckStoreInParallel(InMemory);
}

TEST_CASE("SqliteStore in a file keeps the whole Store contract", "[unit][store]") {
  Files files;
  CheckStoreContract([&](const Clock& clock) { return files.Make(clock); });
}

TEST_CASE("two stores on one file are one store", "[unit][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  StoreFixture mesh([&](const Clock& clock) {
    return OpenSqliteStore({.path = path, .clock = &clock, .checkpoint = true}).value();
  });
  const auto other = OpenSqliteStore({.path = path, .clock = &mesh.clock});
  REQUIRE(other.ok());
  const InstanceId id = mesh.Create("p", "db").view.instance.id;
  CHECK((*other)->GetInstance(SoonCall(), ProjectId("p"), id).ok());
  REQUIRE((*other)->RenameInstance(SoonCall(), Tenant("p"), id, "new").ok());
  CHECK(mesh.Get(id).instance.name == "new");
}

TEST_CASE("what a store has answered is there when it is opened again", "[unit][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  const MakeStore open = [&](const Clock& clock) {
    return OpenSqliteStore({.path = path, .clock = &clock}).value();
  };
  InstanceId id;
  {
    StoreFixture mesh(open);
    id = mesh.Create("p", "db").view.instance.id;
  }
  StoreFixture mesh(open);
  CHECK(mesh.Get(id).instance.name == "db");
}

TEST_CASE("a call that is over gets its own status from reads and writes", "[unit][store]") {
  Files files;
  const bool in_file = GENERATE(false, true);
  StoreFixture mesh(
      [&](const Clock& clock) { return in_file ? files.Make(clock) : InMemory(clock); });
  const Call late = CallFor(-absl::Seconds(1));
  CHECK(absl::IsDeadlineExceeded(mesh.store->ListFlavors(late).status()));
  CHECK(absl::IsDeadlineExceeded(mesh.store->ImportCatalogue(late, TestCatalogue())));
  std::stop_source stop;
  stop.request_stop();
  const Call gone = CallFor(absl::Seconds(10), stop.get_token());
  CHECK(absl::IsCancelled(mesh.store->ListFlavors(gone).status()));
  CHECK(absl::IsCancelled(mesh.store->ImportCatalogue(gone, TestCatalogue())));
}

TEST_CASE("an import leaves alone what an operator edited or deleted", "[unit][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  StoreFixture mesh(
      [&](const Clock& clock) { return OpenSqliteStore({.path = path, .clock = &clock}).value(); });
  Catalogue catalogue = TestCatalogue();
  DatastoreVersion second = catalogue.datastores[0].versions[0];
  second.id = VersionId("33333333-3333-4333-8333-333333333333");
  second.name = "11.0";
  catalogue.datastores[0].versions.push_back(second);
  REQUIRE(mesh.store->ImportCatalogue(SoonCall(), catalogue).ok());
  {
    const auto db = sqlite::Connection::Open(path, sqlite::OpenMode::kReadWrite);
    REQUIRE(db.ok());
    REQUIRE((*db)
                ->Execute("UPDATE datastore_versions SET active = 0, edited = 1 "
                          "WHERE name = '10.11';"
                          "UPDATE datastore_versions SET deleted = 1 WHERE name = '11.0';"
                          "UPDATE flavors SET ram_mib = 7, edited = 1")
                .ok());
  }
  REQUIRE(mesh.store->ImportCatalogue(SoonCall(), catalogue).ok());
  const auto datastores = mesh.store->ListDatastores(SoonCall());
  REQUIRE(datastores.ok());
  REQUIRE(datastores->at(0).versions.size() == 1);
  CHECK_FALSE(datastores->at(0).versions[0].active);
  CHECK(mesh.store->ListFlavors(SoonCall()).value().at(0).ram_mib == 7);
}

TEST_CASE("a damaged store is named as such", "[unit][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  {
    StoreFixture mesh([&](const Clock& clock) {
      return OpenSqliteStore({.path = path, .clock = &clock, .checkpoint = true}).value();
    });
    for (int i = 0; i < 10; ++i)
      mesh.Create("p", "db");
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(200'000, '\x5a');
  file.close();
  const auto store = OpenSqliteStore({.path = path});
  const absl::Status status =
      store.ok() ? (*store)->ListInstances(SoonCall(), ProjectId("p"), InstanceId(), 10).status()
                 : store.status();
  CAPTURE(status);
  CHECK(absl::IsDataLoss(status));
}

}  // namespace trove
