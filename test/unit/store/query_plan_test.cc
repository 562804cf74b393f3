#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite/connection.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/views.h"
#include "libtrove/store/sqlite_store.h"
#include "test/support/store_fixture.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

// What a list of 20 costs in a project that has `count` instances.
struct Cost {
  int machine_steps = 0;
  int scanned_rows = 0;
  int sorts = 0;
};

// Rows as the store writes them, made by SQLite itself: a hundred thousand accepts take a minute.
std::string Fill(int count) {
  const std::string number =
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
      "WHERE i < " +
      std::to_string(count) + ") ";
  return number +
         "INSERT INTO instances (id, project_id, name, version_id, flavor_id, volume_size_gib, "
         "is_public, allowed_cidrs, region, system, task, service, service_updated_at, "
         "created_at, updated_at, version) SELECT printf('i%08d', i), 'p' || (i % 2), 'db', '" +
         kTestVersion.value() + "', '" + kTestFlavor.value() +
         "', 1, 0, '', '', 0, 5, 23, 0, 0, 0, 1 FROM n;" + number +
         "INSERT INTO guests (id, instance_id, ordinal, shard, service) "
         "SELECT printf('g%08d', i), printf('i%08d', i), 0, i % 64, 23 FROM n;" +
         number +
         "INSERT INTO volumes (id, instance_id, guest_id, size_gib, state) SELECT "
         "printf('v%08d', i), printf('i%08d', i), printf('g%08d', i), 1, 0 FROM n;" +
         number +
         "INSERT INTO endpoints (id, instance_id, guest_id, purpose, address, port) SELECT "
         "printf('e%08d', i), printf('i%08d', i), printf('g%08d', i), 'primary', 'a', i FROM n;" +
         number +
         "INSERT INTO operations (id, project_id, instance_id, kind, workflow_version, state, "
         "current_step, due_at, deadline, reason, awaited_signal, error, help, requested_by, "
         "request_id, cancel_requested, created_at, updated_at, version, memory) SELECT "
         "printf('o%08d', i), 'p' || (i % 2), printf('i%08d', i), 'instance.create', 1, 3, 0, "
         "i, 0, '', '', '', '', '', '', 0, 0, 0, 1, x'' FROM n;" +
         number +
         "INSERT INTO operation_steps (operation_id, position, name, state, attempts, "
         "last_error) SELECT printf('o%08d', i), 0, 'place', 1, 0, '' FROM n;" +
         number +
         "INSERT INTO operation_locks (resource, operation_id, mode) SELECT "
         "printf('instances/i%08d', i), printf('o%08d', i), 1 FROM n;";
}

std::unique_ptr<sqlite::Connection> Filled(const std::string& path, int count) {
  REQUIRE(Migrate(path).ok());
  {
    const auto store = OpenSqliteStore({.path = path});
    REQUIRE(store.ok());
    REQUIRE((*store)->ImportCatalogue(SoonCall(), TestCatalogue()).ok());
  }
  auto db = sqlite::Connection::Open(path, sqlite::OpenMode::kReadWrite);
  REQUIRE(db.ok());
  const absl::Status filled =
      (*db)->Execute("PRAGMA synchronous = OFF; BEGIN; " + Fill(count) + "COMMIT");
  INFO(filled);
  REQUIRE(filled.ok());
  return *std::move(db);
}

Cost CostOf(sqlite::Connection& db, const std::string& sql, const std::string& first) {
  sqlite3_stmt* raw = nullptr;
  REQUIRE(sqlite3_prepare_v2(db.handle(), sql.c_str(), -1, &raw, nullptr) == SQLITE_OK);
  const sqlite::StatementHandle statement(raw);
  sqlite::Bind(raw, 1, first);
  if (sqlite3_bind_parameter_count(raw) == 3) {
    sqlite::Bind(raw, 2, "i00000050");
    sqlite::Bind(raw, 3, 21);
  }
  int rows = 0;
  while (sqlite3_step(raw) == SQLITE_ROW)
    ++rows;
  CHECK(rows == (sqlite3_bind_parameter_count(raw) == 3 ? 21 : 1));
  return {sqlite3_stmt_status(raw, SQLITE_STMTSTATUS_VM_STEP, 0),
          sqlite3_stmt_status(raw, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0),
          sqlite3_stmt_status(raw, SQLITE_STMTSTATUS_SORT, 0)};
}

}  // namespace

TEST_CASE("a get and a list are one statement over indexes, without scan or sort",
          "[unit][store]") {
  const TemporaryDirectory directory;
  const auto db = Filled(directory / "trove.db", 100);
  static const std::string kGet = "EXPLAIN QUERY PLAN " + sqlite::GetInstanceSql();
  static const std::string kList = "EXPLAIN QUERY PLAN " + sqlite::ListInstancesSql();
  for (const std::string& sql : {kGet, kList}) {
    sqlite::Statement row(*db, sql);
    int joins = 0;
    while (row.Step().value()) {
      std::string step;
      row.Skip(3);
      row.Read(step);
      CAPTURE(step);
      CHECK(step.find("SCAN") == std::string::npos);
      CHECK(step.find("TEMP B-TREE") == std::string::npos);
      ++joins;
    }
    CHECK(joins == 10);
  }
}

TEST_CASE("a get and a list cost the same at a hundred thousand instances", "[unit][store]") {
  const TemporaryDirectory directory;
  const auto few = Filled(directory / "few.db", 100);
  const auto many = Filled(directory / "many.db", 100'000);
  const Cost list_few = CostOf(*few, sqlite::ListInstancesSql(), "p1");
  const Cost list_many = CostOf(*many, sqlite::ListInstancesSql(), "p1");
  const Cost get_few = CostOf(*few, sqlite::GetInstanceSql(), "i00000050");
  const Cost get_many = CostOf(*many, sqlite::GetInstanceSql(), "i00000050");
  CHECK(list_many.machine_steps == list_few.machine_steps);
  CHECK(get_many.machine_steps == get_few.machine_steps);
  for (const Cost& cost : {list_few, list_many, get_few, get_many}) {
    CHECK(cost.scanned_rows == 0);
    CHECK(cost.sorts == 0);
  }
}

}  // namespace trove
