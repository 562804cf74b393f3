#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite/audit.h"
#include "libtrove/store/sqlite/claims.h"
#include "libtrove/store/sqlite/connection.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/operation_list.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/workers.h"
#include "libtrove/store/sqlite_store.h"
#include "test/support/store_fixture.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const WorkerId kWorker("w");

// A store whose statements' work is counted, in thousands of SQLite's instructions.
class Counted {
 public:
  explicit Counted(const std::string& path) {
    REQUIRE(Migrate(path).ok());
    auto db = sqlite::Connection::Open(path, sqlite::OpenMode::kReadWrite);
    REQUIRE(db.ok());
    db_ = *std::move(db);
    Execute("PRAGMA synchronous = OFF");
    sqlite::Transaction tx{*db_, kNow};
    REQUIRE(sqlite::RenewWorker(tx, kWorker, absl::Seconds(10)).ok());
  }

  void Execute(const std::string& sql) {
    const absl::Status done = db_->Execute(sql);
    INFO(done);
    REQUIRE(done.ok());
  }

  // Operations of an instance each, in state 1, due a second ago.
  void Fill(const std::string& project, int count, const std::string& extra = "") {
    const std::string number =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
        std::to_string(count) + ") ";
    const std::string due = std::to_string(absl::ToUnixMicros(kNow - absl::Seconds(1)));
    Execute("BEGIN; " + number +
            "INSERT INTO operations (id, project_id, instance_id, kind, workflow_version, state, "
            "current_step, due_at, deadline, reason, awaited_signal, error, help, requested_by, "
            "request_id, cancel_requested, created_at, updated_at, version, memory) SELECT '" +
            project + "' || i, '" + project + "', 'i' || i, 'instance.restart', 1, 1, 0, " + due +
            ", 9223372036854775807, '', '', '', '', '', '', 0, 0, 0, 1, x'' FROM n; " + extra +
            "; COMMIT");
  }

  Store::Claims Claim(const ClaimLimits& limits) {
    Execute("BEGIN");
    sqlite::Transaction tx{*db_, kNow};
    work_ = 0;
    sqlite3_progress_handler(db_->handle(), kUnit, &OnProgress, &work_);
    auto claims = sqlite::ClaimDue(tx, kWorker, limits);
    sqlite3_progress_handler(db_->handle(), 0, nullptr, nullptr);
    INFO(claims.status());
    REQUIRE(claims.ok());
    Execute("COMMIT");
    return *std::move(claims);
  }

  bool Idle(const ClaimLimits& limits) {
    sqlite::Transaction tx{*db_, kNow};
    work_ = 0;
    sqlite3_progress_handler(db_->handle(), kUnit, &OnProgress, &work_);
    const auto nothing = sqlite::NothingDue(tx, kWorker, limits);
    sqlite3_progress_handler(db_->handle(), 0, nullptr, nullptr);
    REQUIRE(nothing.ok());
    return nothing->has_value();
  }

  // Of the last claim.
  int work() const { return work_; }
  sqlite::Connection& db() { return *db_; }

 private:
  static constexpr int kUnit = 100;
  static int OnProgress(void* work) {
    ++*static_cast<int*>(work);
    return 0;
  }

  std::unique_ptr<sqlite::Connection> db_;
  int work_ = 0;
};

void CheckPlan(sqlite::Connection& db, const std::string& sql) {
  static std::vector<std::unique_ptr<std::string>> texts;  // statements keep theirs
  texts.push_back(std::make_unique<std::string>("EXPLAIN QUERY PLAN " + sql));
  CAPTURE(sql);
  sqlite::Statement row(db, *texts.back());
  int steps = 0;
  while (row.Step().value()) {
    std::string step;
    row.Skip(3);
    row.Read(step);
    CAPTURE(step);
    // The list of ids that a page's steps are read by, and the one row of the relay.
    const bool small = step.find("json_each") != std::string::npos || step == "SCAN event_relay";
    CHECK((small || step.find("SCAN") == std::string::npos));
    CHECK(step.find("TEMP B-TREE") == std::string::npos);
    ++steps;
  }
  CHECK(steps > 0);
}

}  // namespace

TEST_CASE("operations, events and audit records are found by indexes, without scan or sort",
          "[unit][store]") {
  const TemporaryDirectory directory;
  Counted store(directory / "trove.db");
  const std::optional<ProjectId> p = ProjectId("p");
  for (const std::optional<ProjectId>& project : {p, std::optional<ProjectId>()}) {
    CheckPlan(store.db(), sqlite::ListOperationsSql({.project = project}));
    CheckPlan(store.db(),
              sqlite::ListOperationsSql({.project = project, .instance = InstanceId("i")}));
    for (const OperationState state :
         {OperationState::kRunning, OperationState::kFailed, OperationState::kSucceeded})
      CheckPlan(store.db(), sqlite::ListOperationsSql({.project = project, .states = {state}}));
    for (const char* resource : {"", "instances"}) {
      for (const char* id : {"", "i"})
        CheckPlan(store.db(), sqlite::ReadEventsSql({project, resource, id}));
    }
    for (const char* user : {"", "u"}) {
      for (const char* resource : {"", "instances/i"})
        CheckPlan(store.db(), sqlite::ListAuditSql({project, user, resource}));
    }
  }
  CheckPlan(store.db(), sqlite::ListStepsSql());
}

TEST_CASE("a claim costs the same when ten thousand operations of one project are due",
          "[unit][store]") {
  const TemporaryDirectory directory;
  const ClaimLimits limits{.operations = 16};
  Counted few(directory / "few.db");
  few.Fill("many", 100);
  few.Fill("other", 3);
  Counted many(directory / "many.db");
  many.Fill("many", 10'000);
  many.Fill("other", 3);
  for (Counted* store : {&few, &many}) {
    const Store::Claims claims = store->Claim(limits);
    REQUIRE(claims.operations.size() == 16);
    int others = 0;
    for (const ClaimedOperation& claimed : claims.operations)
      others += claimed.operation.project_id == ProjectId("other") ? 1 : 0;
    CHECK(others == 3);
    CHECK(claims.next_due < kNow);
  }
  CAPTURE(few.work(), many.work());
  CHECK(many.work() <= few.work() * 11 / 10 + 2);
}

TEST_CASE("a claim costs the same when ten thousand operations wait", "[unit][store]") {
  const TemporaryDirectory directory;
  const ClaimLimits limits{.operations = 16, .per_host = 4, .host = "process:h"};
  const std::string later = std::to_string(absl::ToUnixMicros(kNow + absl::Hours(1)));
  const std::string wait =
      "UPDATE operations SET state = 3, turn = 2, host = 'process:other', "
      "awaited_signal = 'job:1', due_at = " +
      later + ", project_id = 'p' || (rowid % 500)";
  Counted few(directory / "few.db");
  few.Fill("waiting", 10, wait);
  few.Fill("due", 4);
  Counted many(directory / "many.db");
  many.Fill("waiting", 10'000, wait);
  many.Fill("due", 4);
  for (Counted* store : {&few, &many})
    CHECK(store->Claim(limits).operations.size() == 4);
  CAPTURE(few.work(), many.work());
  CHECK(many.work() <= few.work() * 11 / 10 + 2);
}

TEST_CASE("ten thousand operations that wait for their turn are not looked at each time",
          "[unit][store]") {
  const TemporaryDirectory directory;
  const ClaimLimits limits{.operations = 16, .per_host = 4, .host = "process:h"};
  const auto fill = [](Counted& store, int count) {
    store.Fill("running",
               4,
               "UPDATE operations SET state = 3, turn = 2, host = 'process:h', "
               "due_at = 9223372036854775807");
    store.Fill("queued",
               count,
               "UPDATE operations SET turn = 1, host = 'process:h', "
               "project_id = 'p' || (rowid % 100) WHERE project_id = 'queued'");
    store.Execute("INSERT INTO host_turns VALUES ('process:h', 4, '')");
  };
  Counted few(directory / "few.db");
  fill(few, 10);
  Counted many(directory / "many.db");
  fill(many, 10'000);
  for (Counted* store : {&few, &many}) {
    CHECK(store->Idle(limits));
    CHECK(store->work() <= 10);
    CHECK(store->Claim(limits).operations.empty());
    // One that runs there ends without a word, and the next look finds the room.
    store->Execute("UPDATE operations SET state = 5, finished_at = 1 WHERE id = 'running1'");
    CHECK_FALSE(store->Idle(limits));
    CHECK(store->Claim(limits).operations.size() == 1);
  }
  CAPTURE(few.work(), many.work());
  CHECK(many.work() <= few.work() * 11 / 10 + 2);
}

TEST_CASE("a host that is full is not filled beyond its limit by ten thousand at once",
          "[unit][store]") {
  const TemporaryDirectory directory;
  const ClaimLimits limits{.operations = 16, .per_host = 4, .host = "process:h"};
  Counted store(directory / "trove.db");
  store.Fill("many", 10'000);
  store.Fill("other", 1);
  Store::Claims claims = store.Claim(limits);
  CHECK(claims.operations.size() == 4);
  int rounds = 1;
  for (; claims.next_due <= kNow; ++rounds) {
    REQUIRE(rounds < 100);
    claims = store.Claim(limits);
    CHECK(claims.operations.empty());
  }
  CHECK(rounds > 10);  // a claim puts off a few hundred at most
  CHECK(store.Idle(limits));
}

TEST_CASE("no project starves behind ten thousand due operations of another", "[unit][store]") {
  const TemporaryDirectory directory;
  Counted store(directory / "trove.db");
  store.Fill("many", 10'000);
  for (int i = 0; i < 300; ++i)
    store.Fill("p" + std::to_string(i) + ".", 1);
  // Three hundred projects with one each: more than one claim looks at.
  int others = 0;
  int claimed = 0;
  while (others < 300) {
    REQUIRE(claimed < 700);
    for (const ClaimedOperation& one : store.Claim({.operations = 16}).operations) {
      ++claimed;
      others += one.operation.project_id == ProjectId("many") ? 0 : 1;
    }
  }
  CHECK(claimed < 400);
}

}  // namespace trove
