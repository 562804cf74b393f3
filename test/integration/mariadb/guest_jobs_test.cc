#include <csignal>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/integration/mariadb/guest_stage.h"
#include "test/support/eventually.h"

namespace trove::mariadb {
namespace {

using mesh::v1::JobReport;

constexpr absl::Duration kPatience = absl::Seconds(30);

// A ConfigureJob with the stage's settings and one parameter.
mesh::v1::Job Configure(GuestStage& stage,
                        const std::string& parameter,
                        const std::string& value,
                        bool may_restart = true) {
  mesh::v1::Job job = stage.NewJob();
  job.mutable_configure()->set_may_restart(may_restart);
  *job.mutable_configure()->mutable_settings() = stage.settings();
  (*job.mutable_configure()->mutable_settings()->mutable_parameters())[parameter] = value;
  return job;
}

// What the server started with, as its own configuration says.
bool IsConfigured(const GuestStage& stage, const std::string& line) {
  const std::string text = ReadFile(stage.layout().State(stage.guest()) / "my.cnf").value_or("");
  return text.find("\n" + line + "\n") != std::string::npos;
}

void KillAll(const GuestStage& stage) {
  const keeper::KeeperStatus last = stage.Processes();
  for (const pid_t pid : {last.keeper_pid, last.agent.pid, last.server.pid})
    if (pid != 0) REQUIRE(::kill(pid, SIGKILL) == 0);
  REQUIRE(Eventually(kPatience, [&] {
    return last.server.pid == 0 ||
           ReadFile("/proc/" + std::to_string(last.server.pid) + "/cmdline").value_or("").empty();
  }));
}

TEST_CASE("what a guest was configured with it has after its agent and after a reboot",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.BringPrepared());
  mesh::v1::Job larger = Configure(stage, "back_log", "99");
  larger.mutable_configure()->mutable_settings()->set_volume_size_gib(3);
  REQUIRE(stage.Do(larger) == JobReport::STATE_SUCCEEDED);
  CHECK_FALSE(stage.Result(larger.id())->restart_required());
  CHECK(IsConfigured(stage, "back_log = 99"));
  CHECK(Eventually(
      kPatience, [&] { return stage.heartbeat()->volume_size_bytes() == std::int64_t{3} << 30; }));

  const mesh::v1::Job waits = Configure(stage, "back_log", "88", false);
  REQUIRE(stage.Do(waits) == JobReport::STATE_SUCCEEDED);
  CHECK(stage.Result(waits.id())->restart_required());
  CHECK(IsConfigured(stage, "back_log = 99"));
  const std::int64_t incarnation = stage.heartbeat()->incarnation();
  REQUIRE(::kill(stage.Processes().agent.pid, SIGKILL) == 0);
  REQUIRE(Eventually(kPatience, [&] { return stage.heartbeat()->incarnation() > incarnation; }));
  KillAll(stage);
  REQUIRE(stage.provisioner().Ensure(CallFor(kPatience), stage.guest_spec()).ok());
  // The keeper brings back what ran; what waits for a start in order goes on waiting.
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
  CHECK(IsConfigured(stage, "back_log = 99"));
  mesh::v1::Job restart = stage.NewJob();
  restart.mutable_restart();
  REQUIRE(stage.Do(restart) == JobReport::STATE_SUCCEEDED);
  CHECK(IsConfigured(stage, "back_log = 88"));
}

TEST_CASE("a server that was stopped is configured and stays stopped", "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.BringPrepared());
  mesh::v1::Job stop = stage.NewJob();
  stop.mutable_stop();
  REQUIRE(stage.Do(stop) == JobReport::STATE_SUCCEEDED);
  REQUIRE(stage.Do(Configure(stage, "back_log", "99")) == JobReport::STATE_SUCCEEDED);
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_SHUTDOWN));
  CHECK_FALSE(stage.Processes().server.running);
  CHECK(stage.heartbeat()->message().empty());
  mesh::v1::Job start = stage.NewJob();
  start.mutable_start();
  REQUIRE(stage.Do(start) == JobReport::STATE_SUCCEEDED);
  CHECK(IsConfigured(stage, "back_log = 99"));
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
}

TEST_CASE("a job that would have the server not start fails for good and leaves it running",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.BringPrepared());
  const mesh::v1::Job bad = Configure(stage, "innodb_page_size", "5000");
  CHECK(stage.Do(bad) == JobReport::STATE_FAILED);
  const JobReport report = *stage.Result(bad.id());
  CHECK_FALSE(report.retryable());
  CHECK(report.error().find("innodb_page_size") != std::string::npos);
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
  const mesh::v1::Job own = Configure(stage, "datadir", "\"/tmp\"");
  CHECK(stage.Do(own) == JobReport::STATE_FAILED);
  CHECK(stage.Result(own.id())->error().find("datadir") != std::string::npos);
  CHECK(stage.Do(Configure(stage, "back_log", "99")) == JobReport::STATE_SUCCEEDED);
}

TEST_CASE("a job whose agent is killed is reported interrupted and completed by the next",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.BringPrepared());
  int interrupted = 0;
  for (const char* words : {"configuring the server", "restarting the server"}) {
    CAPTURE(words);
    const std::string value = std::to_string(100 + interrupted);
    const mesh::v1::Job first = Configure(stage, "back_log", value);
    REQUIRE(stage.Send(first).ok());
    REQUIRE(Eventually(kPatience, [&] {
      return stage.HeardProgress(first.id(), words) || stage.ReportsOf(first.id()) > 0;
    }));
    REQUIRE(::kill(stage.Processes().agent.pid, SIGKILL) == 0);
    const std::optional<JobReport> cut = stage.Result(first.id());
    REQUIRE(cut);
    // It may have been quicker than the signal.
    if (cut->state() != JobReport::STATE_SUCCEEDED) {
      CHECK(cut->state() == JobReport::STATE_INTERRUPTED);
      CHECK(cut->retryable());
      ++interrupted;
    }
    const mesh::v1::Job second = Configure(stage, "back_log", value);
    INFO(stage.Logs());
    REQUIRE(stage.Do(second) == JobReport::STATE_SUCCEEDED);
    CHECK(IsConfigured(stage, "back_log = " + value));
  }
}

TEST_CASE("a job that waits for a server which hangs is cancelled soon", "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.BringPrepared());
  const pid_t hanging = stage.Processes().server.pid;
  REQUIRE(::kill(hanging, SIGSTOP) == 0);
  const mesh::v1::Job job = Configure(stage, "back_log", "99");
  REQUIRE(stage.Send(job).ok());
  REQUIRE(Eventually(kPatience,
                     [&] { return stage.HeardProgress(job.id(), "configuring the server"); }));
  const absl::Time asked = absl::Now();
  const auto cancelled = stage.Cancel(job.id());
  REQUIRE(cancelled.ok());
  CHECK(cancelled->reason().empty());
  REQUIRE(stage.Result(job.id()));
  CHECK(absl::Now() - asked < absl::Seconds(6));
  CHECK(stage.Result(job.id())->state() == JobReport::STATE_CANCELLED);
  REQUIRE(::kill(hanging, SIGCONT) == 0);
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
  CHECK(stage.Do(Configure(stage, "back_log", "99")) == JobReport::STATE_SUCCEEDED);
}

TEST_CASE("a guest of an earlier release, which remembers no settings, goes on",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.BringPrepared());
  KillAll(stage);
  REQUIRE(std::filesystem::remove(stage.layout().State(stage.guest()) / "settings"));
  REQUIRE(stage.provisioner().Ensure(CallFor(kPatience), stage.guest_spec()).ok());
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
  mesh::v1::Job restart = stage.NewJob();
  restart.mutable_restart();
  CHECK(stage.Do(restart) == JobReport::STATE_SUCCEEDED);
  CHECK(stage.Do(Configure(stage, "back_log", "99")) == JobReport::STATE_SUCCEEDED);
  CHECK(IsConfigured(stage, "back_log = 99"));
}

}  // namespace
}  // namespace trove::mariadb
