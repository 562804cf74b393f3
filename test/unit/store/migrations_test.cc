#include "libtrove/store/migrations.h"

#include <sys/stat.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "libtrove/store/sqlite/connection.h"
#include "libtrove/store/sqlite_store.h"
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

TEST_CASE("a store in a folder that is missing or closed is refused with its name",
          "[unit][store]") {
  const TemporaryDirectory directory;
  const absl::Status status = Migrate(directory / "nowhere/trove.db");
  CHECK(absl::IsNotFound(status));
  CHECK(MessageOf(status).find("nowhere/trove.db") != std::string::npos);
}

}  // namespace trove
