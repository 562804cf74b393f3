#include <signal.h>

#include <chrono>
#include <stop_token>
#include <thread>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "test/integration/mariadb/server_stage.h"
#include "test/support/eventually.h"

namespace trove::mariadb {
namespace {

using agent::Restarting;
using agent::ServerSettings;

bool Says(const absl::Status& status, const std::string& word) {
  return MessageOf(status).find(word) != std::string::npos;
}

TEST_CASE("what a running server can change is changed there, and goes back to its default",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  const pid_t pid = stage.Process().pid;
  const std::string wait_timeout = stage.Global("wait_timeout");
  ServerSettings settings = stage.settings();
  settings.parameters = {{"max_connections", "77"},
                         {"wait_timeout", "123"},
                         {"general_log", "false"},
                         {"long_query_time", "0.5"},
                         {"innodb_io_capacity", "5000"},
                         {"innodb_io_capacity_max", "9000"},
                         {"sql_mode", "\"NO_ZERO_DATE,ANSI_QUOTES\""},
                         {"init_connect", "\"SET @a = 'x y'\""}};
  const Restarting restarting = GENERATE(Restarting::kAllowed, Restarting::kForbidden);
  auto done = stage.Configure(settings, restarting);
  INFO(done.status() << stage.Logs());
  REQUIRE(done.ok());
  CHECK_FALSE(*done);
  CHECK(stage.Process().pid == pid);
  CHECK(stage.Global("max_connections") == "77");
  CHECK(stage.Global("wait_timeout") == "123");
  CHECK(stage.Global("long_query_time") == "0.500000");
  CHECK(stage.Global("innodb_io_capacity") == "5000");
  CHECK(stage.Global("sql_mode") == "ANSI_QUOTES,NO_ZERO_DATE");
  CHECK(stage.Global("init_connect") == "SET @a = 'x y'");
  // Also after the keeper has started it anew.
  REQUIRE(::kill(pid, SIGKILL) == 0);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return stage.Global("wait_timeout") == "123"; }));
  CHECK(stage.Global("init_connect") == "SET @a = 'x y'");
  CHECK(stage.Global("max_connections") == "77");

  const pid_t again = stage.Process().pid;
  done = stage.Configure(stage.settings(), restarting);
  REQUIRE(done.ok());
  CHECK_FALSE(*done);
  CHECK(stage.Process().pid == again);
  CHECK(stage.Global("max_connections") == "64");  // ours
  CHECK(stage.Global("wait_timeout") == wait_timeout);
  CHECK(stage.Global("init_connect").empty());
}

TEST_CASE("a default that a running server does not take back waits for its next start",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  ServerSettings settings = stage.settings();
  // Larger than our own, which is smaller than the log's buffer: a server begins so, but does not
  // go there.
  settings.parameters = {{"innodb_log_file_size", "67108864"}};
  const auto set = stage.Configure(settings, Restarting::kForbidden);
  INFO(set.status() << stage.Logs());
  REQUIRE(set.ok());
  const auto back = stage.Configure(stage.settings(), Restarting::kForbidden);
  INFO(back.status() << stage.Logs());
  REQUIRE(back.ok());
  CHECK(*back);
  const auto restarted = stage.Configure(stage.settings(), Restarting::kAllowed);
  REQUIRE(restarted.ok());
  CHECK_FALSE(*restarted);
  CHECK(stage.Global("innodb_log_file_size") == "8388608");
}

TEST_CASE("what needs a restart gets one when that is allowed, and else waits for it",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  const pid_t pid = stage.Process().pid;
  ServerSettings settings = stage.settings();
  settings.parameters = {{"back_log", "99"}, {"wait_timeout", "123"}};
  auto done = stage.Configure(settings, Restarting::kForbidden);
  INFO(done.status() << stage.Logs());
  REQUIRE(done.ok());
  CHECK(*done);
  CHECK(stage.Process().pid == pid);
  CHECK(stage.Global("wait_timeout") == "123");
  CHECK(stage.Global("back_log") != "99");
  // Asked again, it is still so; a crash does not try what nobody has tried.
  CHECK(stage.Configure(settings, Restarting::kForbidden).value_or(false));
  REQUIRE(::kill(pid, SIGKILL) == 0);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return stage.Global("wait_timeout") == "123"; }));
  CHECK(stage.Global("back_log") != "99");
  // The next start in order does, also with a new agent.
  stage.Reopen();
  REQUIRE(stage.datastore().Stop(Soon(), [](std::string_view) {}).ok());
  REQUIRE(stage.Start().ok());
  CHECK(stage.Global("back_log") == "99");
  CHECK_FALSE(stage.Configure(settings, Restarting::kForbidden).value_or(true));

  settings.parameters["back_log"] = "88";
  done = stage.Configure(settings, Restarting::kAllowed);
  REQUIRE(done.ok());
  CHECK_FALSE(*done);
  CHECK(stage.Global("back_log") == "88");
  CHECK(stage.AskAsAnn("SELECT 1") == "1");
}

TEST_CASE("a server takes another size, while it runs as far as it can", "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  const pid_t pid = stage.Process().pid;
  ServerSettings larger = stage.settings();
  larger.memory_mib = 1024;
  larger.vcpus = 2;
  const auto done = stage.Configure(larger, Restarting::kForbidden);
  INFO(done.status() << stage.Logs());
  REQUIRE(done.ok());
  CHECK(stage.Process().pid == pid);
  CHECK(stage.Global("max_connections") == "128");
  CHECK(stage.Global("innodb_buffer_pool_size") == "536870912");
  CHECK(stage.Configure(stage.settings()).ok());
  CHECK(stage.Global("innodb_buffer_pool_size") == "268435456");
}

TEST_CASE("a server that does not come up with new settings goes on as it was",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  const auto [name, value] = GENERATE(table<std::string, std::string>({
      // What the server ends at, and what it says it cannot be.
      {"innodb_page_size", "\"5000\""},
      {"no_such_parameter", "1"},
      {"thread_handling", "\"by-magic\""},
  }));
  CAPTURE(name);
  ServerSettings settings = stage.settings();
  settings.memory_mib = 1024;
  settings.parameters = {{name, value}, {"wait_timeout", "123"}};
  const auto done = stage.Configure(settings);
  INFO(done.status() << stage.Logs());
  REQUIRE(absl::IsInvalidArgument(done.status()));
  CHECK(Says(done.status(), name));
  CHECK(stage.AskAsAnn("SELECT 1") == "1");
  CHECK(stage.Global("wait_timeout") != "123");
  CHECK(stage.Global("innodb_buffer_pool_size") == "268435456");
  CHECK(stage.Configure(stage.settings()).ok());
  // A start that finds them waiting does the same.
  stage.Remember(settings);
  REQUIRE(stage.datastore().Stop(Soon(), [](std::string_view) {}).ok());
  CHECK(absl::IsInvalidArgument(stage.Start()));
  CHECK(stage.AskAsAnn("SELECT 1") == "1");
}

TEST_CASE("a value that a running server does not take changes nothing", "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  const pid_t pid = stage.Process().pid;
  const std::string before = stage.Global("wait_timeout");
  const auto [name, value] = GENERATE(table<std::string, std::string>({
      {"max_connections", "5"},  // the server would make 10 of it
      {"sql_mode", "\"NONSENSE\""},
      {"character_set_server", "\"klingon\""},
      {"long_query_time", "\"soon\""},
  }));
  CAPTURE(name);
  ServerSettings settings = stage.settings();
  settings.parameters = {{name, value}, {"wait_timeout", "123"}};
  const auto done = stage.Configure(settings, Restarting::kForbidden);
  REQUIRE(absl::IsInvalidArgument(done.status()));
  INFO(done.status());
  CHECK(Says(done.status(), "parameter " + name));
  CHECK(stage.Process().pid == pid);
  CHECK(stage.Global("wait_timeout") == before);
  CHECK(stage.Global("max_connections") == "64");
}

TEST_CASE("a server that is down is started as it is configured", "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  REQUIRE(stage.datastore().Stop(Soon(), [](std::string_view) {}).ok());
  ServerSettings settings = stage.settings();
  settings.parameters = {{"back_log", "99"}};
  REQUIRE(stage.Configure(settings, Restarting::kForbidden).ok());
  CHECK(stage.Global("back_log") == "99");
}

TEST_CASE("a configuration that is killed at any moment is completed by the next attempt",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  int killed = 0;
  // From before it begins to after it has ended.
  for (int ms = 0; ms <= 600; ms += 25) {
    CAPTURE(ms);
    ServerSettings settings = stage.settings();
    settings.parameters = {{"back_log", std::to_string(100 + ms)},
                           {"wait_timeout", std::to_string(1000 + ms)}};
    killed += stage.KilledIn(absl::Milliseconds(ms), [&] {
      stage.datastore()
          .Configure(Soon(), settings, Restarting::kAllowed, [](std::string_view) {})
          .IgnoreError();
    });
    // The next agent starts what is meant to run, with what it knows.
    stage.Reopen();
    const absl::Status started = stage.Start();
    INFO(started << stage.Logs());
    REQUIRE(started.ok());
    REQUIRE(stage.AskAsAnn("SELECT 1") == "1");
    const auto done = stage.Configure(settings);
    INFO(done.status());
    REQUIRE(done.ok());
    CHECK_FALSE(*done);
    CHECK(stage.Global("back_log") == std::to_string(100 + ms));
    CHECK(stage.Global("wait_timeout") == std::to_string(1000 + ms));
  }
  CHECK(killed >= 5);
}

TEST_CASE("a configuration whose server is killed meanwhile is completed by the next attempt",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  for (int ms = 0; ms <= 400; ms += 50) {
    CAPTURE(ms);
    ServerSettings settings = stage.settings();
    settings.parameters = {{"back_log", std::to_string(100 + ms)},
                           {"wait_timeout", std::to_string(1000 + ms)}};
    std::jthread killer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(ms));
      if (const pid_t pid = stage.Process().pid; pid != 0) ::kill(pid, SIGKILL);
    });
    auto done = stage.Configure(settings);
    killer.join();
    INFO(done.status() << stage.Logs());
    if (!done.ok()) {
      // It must not count as the settings' fault.
      CHECK_FALSE(absl::IsInvalidArgument(done.status()));
      done = stage.Configure(settings);
    }
    REQUIRE(done.ok());
    REQUIRE(Eventually(absl::Seconds(20), [&] {
      return stage.Global("back_log") == std::to_string(100 + ms) &&
             stage.Global("wait_timeout") == std::to_string(1000 + ms);
    }));
  }
}

TEST_CASE("a configuration that is cancelled ends soon and leaves a server that runs",
          "[integration][mariadb]") {
  ServerStage stage;
  stage.Prepare();
  // One that needs long to come up.
  ServerSettings settings = stage.settings();
  settings.engine = stage.MakeEngine("slow", "sleep 30");
  std::stop_source stop;
  const absl::Time began = absl::Now();
  const auto done = stage.datastore().Configure(CallFor(absl::Seconds(60), stop.get_token()),
                                                settings,
                                                Restarting::kAllowed,
                                                [&](std::string_view said) {
                                                  if (said == "restarting the server")
                                                    stop.request_stop();
                                                });
  CHECK(absl::IsCancelled(done.status()));
  CHECK(absl::Now() - began < absl::Seconds(5));
  REQUIRE(stage.Start().ok());
  CHECK(stage.AskAsAnn("SELECT 1") == "1");
}

}  // namespace
}  // namespace trove::mariadb
