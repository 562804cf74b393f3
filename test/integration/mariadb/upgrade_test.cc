#include <signal.h>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "test/integration/mariadb/server_stage.h"

namespace trove::mariadb {
namespace {

using agent::ServerSettings;

bool Says(const absl::Status& status, const std::string& word) {
  return MessageOf(status).find(word) != std::string::npos;
}

ServerSettings NewVersion(const ServerStage& stage, const std::string& script = "") {
  ServerSettings settings = stage.settings();
  settings.engine = stage.MakeEngine("new", script);
  return settings;
}

void WriteRow(const ServerStage& stage) {
  REQUIRE(stage.AskAsAnn("CREATE TABLE t (n INT)").empty());
  REQUIRE(stage.AskAsAnn("INSERT INTO t VALUES (42)").empty());
}

bool HasRow(const ServerStage& stage) {
  return stage.AskAsAnn("SELECT n FROM t") == "42";
}

TEST_CASE("a server is upgraded to another engine with its data", "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  WriteRow(stage);
  const std::filesystem::path proof = stage.guest_dir() / "new-engine";
  // As data of a version that has never been brought up to date.
  std::filesystem::remove(stage.guest_dir().parent_path() / "volume/data/mysql_upgrade_info");
  const ServerSettings settings = NewVersion(stage, "touch " + proof.string());
  const absl::Status done = stage.Upgrade(settings);
  INFO(done << stage.Logs());
  REQUIRE(done.ok());
  CHECK(std::filesystem::exists(proof));
  CHECK(
      std::filesystem::exists(stage.guest_dir().parent_path() / "volume/data/mysql_upgrade_info"));
  CHECK(HasRow(stage));
  CHECK_FALSE(std::filesystem::exists(stage.guest_dir() / "upgrade.cnf"));
  // Once more, it does nothing but restart.
  CHECK(stage.Upgrade(settings).ok());
  CHECK(HasRow(stage));
  // The new engine is what a new agent starts.
  std::filesystem::remove(proof);
  stage.Reopen();
  REQUIRE(stage.datastore().Stop(Soon(), [](std::string_view) {}).ok());
  REQUIRE(stage.Start().ok());
  CHECK(std::filesystem::exists(proof));
}

TEST_CASE("nobody writes to a new version before it is certain that it stays",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  WriteRow(stage);
  bool looked = false;
  const absl::Status done = stage.Upgrade(NewVersion(stage), [&](std::string_view progress) {
    if (progress.find("system tables") == std::string_view::npos) return;
    looked = true;
    CHECK(IsError(stage.AskAsAnn("SELECT 1")));
  });
  INFO(done << stage.Logs());
  REQUIRE(done.ok());
  CHECK(looked);
  CHECK(HasRow(stage));
  CHECK(stage.Global("skip_networking") == "0");
}

TEST_CASE("what cannot be upgraded is refused before anything is touched",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  const pid_t pid = stage.Process().pid;
  ServerSettings older = NewVersion(stage);
  older.version_number = "10.6";
  ServerSettings far = NewVersion(stage);
  far.version_number = "12.0";
  ServerSettings missing = stage.settings();
  missing.engine = "/nowhere/at/all";
  for (const ServerSettings& settings : {older, far, missing}) {
    const absl::Status refused = stage.Upgrade(settings);
    INFO(refused);
    CHECK(absl::IsInvalidArgument(refused));
  }
  CHECK(Says(stage.Upgrade(older), "10.6"));
  CHECK(Says(stage.Upgrade(missing), "/nowhere/at/all"));
  CHECK(stage.Process().pid == pid);
  CHECK(stage.state().settings() == stage.settings());
}

TEST_CASE("a broken engine fails, is not tried again and again, and the old one comes back",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  WriteRow(stage);
  const ServerSettings settings =
      NewVersion(stage, "echo '2026-01-01 0:00:00 0 [ERROR] it is broken'; exit 3");
  const absl::Status failed = stage.Upgrade(settings);
  INFO(failed << stage.Logs());
  CHECK(absl::IsInvalidArgument(failed));
  CHECK(Says(failed, "it is broken"));
  const keeper::ProcessStatus process = stage.Process();
  CHECK_FALSE(process.running);
  CHECK(process.next_start_ms < 0);
  const auto back = stage.Configure(stage.settings());
  INFO(back.status() << stage.Logs());
  REQUIRE(back.ok());
  CHECK(HasRow(stage));
  // The same by way of a stop: what it was stopped with is what it starts with.
  CHECK_FALSE(stage.Upgrade(settings).ok());
  stage.Remember(stage.settings());
  REQUIRE(stage.Start().ok());
  CHECK(HasRow(stage));
}

TEST_CASE("an upgrade is taken back with the data of before, and the new engine is not started",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  WriteRow(stage);
  const std::filesystem::path starts = stage.guest_dir() / "new-starts";
  const ServerSettings settings = NewVersion(stage, "echo x >> " + starts.string());
  REQUIRE(stage.datastore().Stop(Soon(), [](std::string_view) {}).ok());
  const std::filesystem::path data = stage.guest_dir().parent_path() / "volume/data";
  const std::filesystem::path kept = stage.guest_dir().parent_path() / "volume/kept";
  std::filesystem::copy(data, kept, std::filesystem::copy_options::recursive);
  REQUIRE(stage.Upgrade(settings).ok());
  REQUIRE(stage.AskAsAnn("DROP TABLE t").empty());
  // However it ended.
  if (GENERATE(true, false)) {
    REQUIRE(stage.datastore().Stop(Soon(), [](std::string_view) {}).ok());
  } else {
    stage.StopServer(SIGKILL);
  }
  std::filesystem::remove_all(data);
  std::filesystem::rename(kept, data);
  std::filesystem::remove(starts);
  stage.Reopen();
  const absl::Status back = stage.Upgrade(stage.settings());
  INFO(back << stage.Logs());
  REQUIRE(back.ok());
  CHECK(HasRow(stage));
  CHECK_FALSE(std::filesystem::exists(starts));
  CHECK(stage.state().settings() == stage.settings());
}

TEST_CASE("an engine of another version than it should be is told", "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  ServerSettings settings = NewVersion(stage);
  settings.version_number = "11.4";
  const absl::Status failed = stage.Upgrade(settings);
  CHECK(absl::IsInvalidArgument(failed));
  CHECK(Says(failed, "10.11"));
  CHECK(Says(failed, "11.4"));
}

TEST_CASE("an upgrade begins with an end in order of the old version", "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  WriteRow(stage);
  // It was killed a moment ago, and the keeper starts it again.
  REQUIRE(::kill(stage.Process().pid, SIGKILL) == 0);
  const absl::Status done = stage.Upgrade(NewVersion(stage));
  INFO(done << stage.Logs());
  REQUIRE(done.ok());
  CHECK(HasRow(stage));
}

TEST_CASE("an upgrade that is killed at any moment is completed by the next attempt",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  WriteRow(stage);
  int killed = 0;
  for (int ms = 0; ms <= 1600; ms += 320) {
    CAPTURE(ms);
    // So that the tables have to be upgraded each time.
    std::filesystem::remove(stage.guest_dir().parent_path() / "volume/data/mysql_upgrade_info");
    ServerSettings settings = stage.settings();
    settings.engine = stage.MakeEngine("engine-" + std::to_string(ms));
    killed +=
        stage.KilledIn(absl::Milliseconds(ms), [&] { stage.Upgrade(settings).IgnoreError(); });
    stage.Reopen();
    const absl::Status started = stage.Start();
    INFO(started << stage.Logs());
    REQUIRE(started.ok());
    const absl::Status done = stage.Upgrade(settings);
    INFO(done);
    REQUIRE(done.ok());
    REQUIRE(HasRow(stage));
  }
  CHECK(killed >= 2);
}

TEST_CASE("another life takes over the data, and nobody comes in meanwhile",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  WriteRow(stage);
  const std::string accounts = stage.Ask(
      "SELECT GROUP_CONCAT(User, '@', Host, Priv ORDER BY User) FROM mysql.global_priv "
      "WHERE User <> 'os_admin'");
  stage.Rebirth();
  // Killed on the way, at several moments.
  for (int ms = 0; ms <= 400; ms += 80) {
    stage.KilledIn(absl::Milliseconds(ms), [&] {
      stage.datastore().Adopt(Soon(), stage.settings(), [](std::string_view) {}).IgnoreError();
    });
    // While it is being secured nobody gets in, and not at all from outside.
    for (const char* user : {"root", "os_admin", "", "mariadb.sys"})
      CHECK(IsError(stage.AskAs(user, "", "SELECT 1")));
    stage.Reopen();
  }
  absl::Status done = stage.datastore().Adopt(Soon(), stage.settings(), [](std::string_view) {});
  INFO(done << stage.Logs());
  REQUIRE(done.ok());
  stage.Remember(stage.settings());
  CHECK(stage.Ask("SELECT 1") == "1");
  CHECK(HasRow(stage));
  CHECK(stage.Ask("SELECT GROUP_CONCAT(User, '@', Host, Priv ORDER BY User) FROM mysql.global_priv "
                  "WHERE User <> 'os_admin'") == accounts);
  CHECK_FALSE(std::filesystem::exists(stage.guest_dir() / "private.sql"));
  // Once more, it finds everything done.
  const pid_t pid = stage.Process().pid;
  done = stage.datastore().Adopt(Soon(), stage.settings(), [](std::string_view) {});
  CHECK(done.ok());
  CHECK(stage.Process().pid == pid);
}

TEST_CASE("what holds no data cannot be taken over", "[integration][mariadb]") {
  ServerStage stage;
  const absl::Status done =
      stage.datastore().Adopt(Soon(), stage.settings(), [](std::string_view) {});
  CHECK(absl::IsFailedPrecondition(done));
}

}  // namespace
}  // namespace trove::mariadb
