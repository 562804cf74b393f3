#include "libtrove/store/migrations.h"

#include <sys/stat.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/connection.h"
#include "libtrove/store/sqlite/schema.h"
#include "libtrove/store/sqlite_store.h"
#include "test/support/fake_clock.h"
#include "test/support/store_samples.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

void Execute(const std::string& path, const std::string& sql) {
  const auto db = sqlite::Connection::Open(path, sqlite::OpenMode::kCreate);
  REQUIRE(db.ok());
  REQUIRE((*db)->Execute(sql).ok());
}

}  // namespace

TEST_CASE("a store is made once, for its owner alone, and again without harm", "[unit][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  REQUIRE(Migrate(path).ok());
  const auto store = OpenSqliteStore({.path = path});
  REQUIRE(store.ok());
  CHECK(Migrate(path).ok());
  CHECK((*store)->ListFlavors(CallFor(absl::Seconds(10))).ok());
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat found {};
    REQUIRE(::stat((path + suffix).c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0600);
  }
}

TEST_CASE("several that migrate at once take turns", "[unit][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  std::vector<absl::Status> results(4);
  {
    std::vector<std::jthread> threads;
    for (absl::Status& result : results)
      threads.emplace_back([&] { result = Migrate(path); });
  }
  for (const absl::Status& result : results)
    CHECK(result.ok());
  CHECK(OpenSqliteStore({.path = path}).ok());
}

TEST_CASE("a service refuses a store that is missing, empty, newer or no store", "[unit][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  CHECK(absl::IsNotFound(OpenSqliteStore({.path = path}).status()));

  Execute(path, "PRAGMA user_version = 0");
  CHECK(absl::IsFailedPrecondition(OpenSqliteStore({.path = path}).status()));

  REQUIRE(Migrate(path).ok());
  CHECK(OpenSqliteStore({.path = path}).ok());
  Execute(path, "INSERT INTO schema_version VALUES (" + std::to_string(kStoreSchema + 1) + ", 0)");
  const absl::Status newer = OpenSqliteStore({.path = path}).status();
  CHECK(absl::IsFailedPrecondition(newer));
  CHECK(MessageOf(newer).find("newer release") != std::string::npos);
  CHECK(absl::IsFailedPrecondition(Migrate(path)));

  const std::string foreign = directory / "foreign.db";
  Execute(foreign, "CREATE TABLE t (x)");
  CHECK(absl::IsFailedPrecondition(OpenSqliteStore({.path = foreign}).status()));
  CHECK(absl::IsFailedPrecondition(Migrate(foreign)));

  const std::string text = directory / "text.db";
  std::ofstream(text) << std::string(10'000, 'x');
  CHECK(absl::IsDataLoss(OpenSqliteStore({.path = text}).status()));
  CHECK(absl::IsDataLoss(Migrate(text)));
}

// What the first release leaves: an instance in work with events, and one operation that failed.
constexpr char kFirstRelease[] = R"sql(
INSERT INTO datastores VALUES ('d', 'mariadb', 'v', 0, 0);
INSERT INTO datastore_versions VALUES ('v', 'd', '10.11', '10.11.6', 'mariadb', 1, 0, 0);
INSERT INTO flavors VALUES ('1', 'small', 512, 1, 0, 0, 0, 0);
INSERT INTO quota_usages VALUES ('p', 'instances', 1, 0);
INSERT INTO instances (id, project_id, name, version_id, flavor_id, volume_size_gib, is_public,
  allowed_cidrs, region, system, task, service, service_updated_at, created_at, updated_at, version)
  VALUES ('i', 'p', 'db', 'v', '1', 1, 0, '', '', 0, 3, 33, 1, 1, 1, 4);
INSERT INTO quota_charges VALUES ('i', 'instances', 1);
INSERT INTO guests (id, instance_id, ordinal, shard, service, placement)
  VALUES ('g', 'i', 0, 1, 33, 'process:h');
INSERT INTO volumes (id, instance_id, guest_id, size_gib, state) VALUES ('w', 'i', 'g', 1, 1);
INSERT INTO endpoints (id, instance_id, guest_id, purpose) VALUES ('e', 'i', 'g', 'primary');
INSERT INTO operations VALUES ('o1', 'p', 'i', 'instance.restart', 1, 6, 0, NULL, 1, 9, '', '', NULL,
  'it failed', '', 'u', '', 0, 1, 1, 1, 3, x'');
INSERT INTO operations VALUES ('o2', 'p', 'i', 'instance.restart', 1, 3, 0, NULL, 1, 9, 'waits',
  'job:o2/x/1', 1, '', '', 'u', 'r', 0, 2, 2, NULL, 3, x'6d');
INSERT INTO operation_steps VALUES ('o2', 0, 'restart', 2, 1, 1, NULL, '');
INSERT INTO operation_inputs VALUES ('o2', x'69');
INSERT INTO operation_locks VALUES ('instances/i', 'o2', 1);
INSERT INTO requests VALUES ('p', 'r', 'f', 'i', 'o2', 1700000000000000);
INSERT INTO events (id, position, project_id, type, resource, resource_id, resource_version, data,
  at) VALUES ('a', 1, 'p', 't', 'instances', 'i', 1, '{}', 1), ('b', 2, 'q', 't', 'x', 'y', 1, '{}', 1),
  ('c', NULL, 'p', 't', 'instances', 'i', 2, '{}', 1);
UPDATE event_relay SET stamped = 2, published = 1;
)sql";

TEST_CASE("a store of the first release goes on under this one", "[unit][store]") {
  const TemporaryDirectory directory;
  const std::string path = directory / "trove.db";
  {
    const auto db = sqlite::Connection::Open(path, sqlite::OpenMode::kCreate);
    REQUIRE(db.ok());
    REQUIRE(sqlite::ApplyMigrations(**db, absl::FromUnixSeconds(1), 1).ok());
    const absl::Status filled = (*db)->Execute(kFirstRelease);
    INFO(filled);
    REQUIRE(filled.ok());
  }
  // Not before it has been migrated.
  CHECK(absl::IsFailedPrecondition(OpenSqliteStore({.path = path}).status()));
  REQUIRE(Migrate(path).ok());
  FakeClock clock;
  const auto opened = OpenSqliteStore({.path = path, .clock = &clock});
  REQUIRE(opened.ok());
  Store& store = **opened;

  const auto view = store.GetInstance(SoonCall(), std::nullopt, InstanceId("i"));
  REQUIRE(view.ok());
  REQUIRE(view->operation);
  CHECK(view->operation->id == OperationId("o2"));
  CHECK(view->operation->cancellable);
  CHECK(view->version.engine.empty());
  // The request is known still, and what failed before had its input erased.
  CHECK(store.FindAnswer(SoonCall(), Tenant("p", "r", "f"))->has_value());
  CHECK(
      ReasonOf(store.RetryOperation(SoonCall(), Tenant("p"), OperationId("o1")).status()).reason ==
      Reason::kNotRetryable);

  const WorkerId worker("w");
  REQUIRE(store.RenewWorker(SoonCall(), worker, absl::Seconds(10)).ok());
  auto claims = store.ClaimDue(SoonCall(), worker, {10, 1, "process:h"});
  REQUIRE(claims.ok());
  REQUIRE(claims->operations.size() == 1);
  Operation operation = claims->operations[0].operation;
  CHECK(operation.memory == "m");
  CHECK(operation.input == "i");
  // It fails, and can be taken up with what the instance had shown.
  operation.state = OperationState::kFailed;
  REQUIRE(store.WriteOperation(SoonCall(), worker, {operation, {SetTask{}}, {}, true}).ok());
  const auto again = store.RetryOperation(SoonCall(), Tenant("p"), operation.id);
  INFO(again.status());
  REQUIRE(again.ok());
  CHECK(store.GetInstance(SoonCall(), std::nullopt, InstanceId("i"))->instance.task ==
        TaskStatus::kRebooting);

  // Readers of events go on from where they were.
  CHECK(store.LastPosition(SoonCall()).value() == 2);
  const auto events = store.ReadEvents(SoonCall(), {ProjectId("p")}, 0, 10);
  REQUIRE(events.ok());
  REQUIRE(events->size() == 1);
  CHECK(events->front().position == 1);
  REQUIRE(store.HoldLease(SoonCall(), "events", worker, absl::Seconds(5)).value());
  const auto stamped = store.StampEvents(SoonCall(), worker, 2);
  REQUIRE(stamped.ok());
  REQUIRE(stamped->size() == 2);
  CHECK(stamped->front().id == EventId("b"));
  CHECK(stamped->back().id == EventId("c"));
}

TEST_CASE("a store in a folder that is missing or closed is refused with its name",
          "[unit][store]") {
  const TemporaryDirectory directory;
  const absl::Status status = Migrate(directory / "nowhere/trove.db");
  CHECK(absl::IsNotFound(status));
  CHECK(MessageOf(status).find("nowhere/trove.db") != std::string::npos);
}

}  // namespace trove
