#include <catch2/catch.hpp>

#include "libtrove/agent/job_journal.h"
#include "test/support/eventually.h"
#include "test/unit/agent/guest_lane.h"

namespace trove::agent {
namespace {

using mesh::v1::JobReport;
using Words = std::vector<std::string>;

constexpr absl::Duration kPatience = absl::Seconds(20);

bool IsEmpty(const std::filesystem::path& folder) {
  return std::filesystem::is_empty(folder);
}

TEST_CASE("a job is remembered before it is acknowledged and until it is settled",
          "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  lane.datastore.Hold();
  const mesh::v1::Job job = lane.NewJob();
  CHECK(lane.Give(job).empty());
  CHECK_FALSE(IsEmpty(lane.journal_folder()));
  CHECK(lane.Settle(job.id()) == "RUNNING");
  lane.datastore.Release();
  CHECK(lane.Ends(job.id()) == JobReport::STATE_SUCCEEDED);
  CHECK_FALSE(IsEmpty(lane.journal_folder()));
  CHECK(lane.Settle(job.id()).empty());
  CHECK(IsEmpty(lane.journal_folder()));
  CHECK(lane.Settle(job.id()).empty());
}

TEST_CASE("a job that arrives again is done once and reported again", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  lane.datastore.Hold();
  const mesh::v1::Job job = lane.NewJob();
  CHECK(lane.Give(job).empty());
  CHECK(lane.IsRunning(job.id()));
  CHECK(lane.Give(job).empty());
  lane.datastore.Release();
  REQUIRE(lane.Ends(job.id()) == JobReport::STATE_SUCCEEDED);
  const std::size_t reports = lane.FinalReports(job.id()).size();
  CHECK(lane.Give(job).empty());
  CHECK(Eventually(kPatience, [&] { return lane.FinalReports(job.id()).size() > reports; }));
  CHECK(lane.datastore.asked() == Words{"stop"});
  // Also by the next agent, as long as it is not settled.
  lane.Stop();
  lane.Start();
  CHECK(lane.Give(job).empty());
  CHECK(Eventually(kPatience, [&] { return lane.FinalReports(job.id()).size() > reports + 1; }));
  CHECK(lane.datastore.asked() == Words{"stop"});
}

TEST_CASE("a report is repeated until somebody has heard it", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  lane.SetDeaf(true);
  const mesh::v1::Job job = lane.NewJob();
  CHECK(lane.Give(job).empty());
  REQUIRE(Eventually(kPatience, [&] { return lane.FinalReports(job.id()).size() >= 2; }));
  lane.SetDeaf(false);
  const std::size_t before = lane.FinalReports(job.id()).size();
  REQUIRE(Eventually(kPatience, [&] { return lane.FinalReports(job.id()).size() > before; }));
  // The next job's report shows that the first is not sent any more.
  const std::size_t heard = lane.FinalReports(job.id()).size();
  const mesh::v1::Job next = lane.NewJob();
  CHECK(lane.Give(next).empty());
  CHECK(lane.Ends(next.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.FinalReports(job.id()).size() == heard);
}

TEST_CASE("what a restart cut off is reported interrupted and what had not begun is done",
          "[unit][agent]") {
  GuestLane lane;
  const mesh::v1::Job begun = lane.NewJob();
  const mesh::v1::Job waiting = lane.NewJob();
  {
    const auto journal = JobJournal::Open(lane.journal_folder());
    REQUIRE(journal.ok());
    REQUIRE(journal->Put({JournalEntry::State::kRunning, begun, {}}).ok());
    REQUIRE(journal->Put({JournalEntry::State::kAccepted, waiting, {}}).ok());
  }
  lane.Start();
  CHECK(lane.Ends(begun.id()) == JobReport::STATE_INTERRUPTED);
  CHECK(lane.FinalReports(begun.id()).front().retryable());
  CHECK(lane.Ends(waiting.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.datastore.asked() == Words{"stop"});
}

TEST_CASE("an agent that is told to end leaves the running job to the next one", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  lane.datastore.Hold();
  const mesh::v1::Job job = lane.NewJob();
  CHECK(lane.Give(job).empty());
  REQUIRE(lane.IsRunning(job.id()));
  lane.Stop();
  CHECK(lane.FinalReports(job.id()).empty());
  lane.datastore.Release();
  lane.Start();
  CHECK(lane.Ends(job.id()) == JobReport::STATE_INTERRUPTED);
}

TEST_CASE("a job is cancelled while it waits and while it runs", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  lane.datastore.Hold();
  const mesh::v1::Job running = lane.NewJob();
  const mesh::v1::Job waiting = lane.NewJob();
  CHECK(lane.Give(running).empty());
  REQUIRE(lane.IsRunning(running.id()));
  CHECK(lane.Give(waiting).empty());
  CHECK(lane.Cancel(waiting.id()).empty());
  CHECK(lane.Ends(waiting.id()) == JobReport::STATE_CANCELLED);
  CHECK(lane.Cancel(running.id()).empty());
  CHECK(lane.Ends(running.id()) == JobReport::STATE_CANCELLED);
  CHECK(lane.datastore.asked() == Words{"stop"});
  CHECK(lane.Cancel("operation/unknown/1") == "NOT_RUNNING");
}

TEST_CASE("a guest takes no more jobs than it can remember", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  lane.datastore.Hold();
  const mesh::v1::Job running = lane.NewJob();
  CHECK(lane.Give(running).empty());
  REQUIRE(lane.IsRunning(running.id()));
  std::vector<mesh::v1::Job> waiting;
  for (std::size_t i = 0; i < Jobs::kMostWaiting; ++i) {
    waiting.push_back(lane.NewJob());
    CHECK(lane.Give(waiting.back()).empty());
  }
  const mesh::v1::Job refused = lane.NewJob();
  CHECK(lane.Give(refused) == "BUSY");
  lane.datastore.Release();
  for (const mesh::v1::Job& job : waiting)
    CHECK(lane.Ends(job.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.Give(refused).empty());
  CHECK(lane.Ends(refused.id()) == JobReport::STATE_SUCCEEDED);
}

TEST_CASE("a claim that is not the newest is refused, also by the next agent", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  const mesh::v1::Job old = lane.NewJob();
  lane.generation = 5;
  const mesh::v1::Job newer = lane.NewJob();
  CHECK(lane.Give(newer).empty());
  CHECK(lane.Give(old) == "STALE_GENERATION");
  REQUIRE(lane.Ends(newer.id()) == JobReport::STATE_SUCCEEDED);
  lane.generation = 4;
  CHECK(lane.Cancel(newer.id()) == "STALE_GENERATION");
  lane.Stop();
  lane.Start();
  CHECK(lane.Give(old) == "STALE_GENERATION");
}

TEST_CASE("a failure says whether doing it again may help", "[unit][agent]") {
  const auto [status, retryable] = GENERATE(table<absl::Status, bool>({
      {absl::InternalError("broken"), true},
      {absl::UnavailableError("away"), true},
      {absl::InvalidArgumentError("nonsense"), false},
      {absl::UnimplementedError("cannot"), false},
  }));
  GuestLane lane;
  lane.Start();
  lane.datastore.Fail(status);
  const mesh::v1::Job job = lane.NewJob();
  CHECK(lane.Give(job).empty());
  REQUIRE(lane.Ends(job.id()) == JobReport::STATE_FAILED);
  const JobReport report = lane.FinalReports(job.id()).front();
  CHECK(report.retryable() == retryable);
  CHECK(report.error() == status.message());
}

TEST_CASE("a password is sealed in the journal and gone when the job has ended", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  lane.datastore.Hold();
  const mesh::v1::Job job = lane.NewPrepare("open sesame");
  const std::string box = job.prepare().users(0).password().box();
  CHECK(lane.Give(job).empty());
  REQUIRE(lane.IsRunning(job.id()));
  REQUIRE(Eventually(kPatience, [&] { return !lane.datastore.prepared().empty(); }));
  CHECK(lane.datastore.prepared().front().users.front().password.Reveal() == "open sesame");
  CHECK(lane.FilesOfGuest().find(box) != std::string::npos);
  CHECK(lane.FilesOfGuest().find("open sesame") == std::string::npos);
  lane.datastore.Release();
  REQUIRE(lane.Ends(job.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.FilesOfGuest().find(box) == std::string::npos);
  CHECK(lane.FinalReports(job.id()).front().running_version() == "10.11.6");
}

TEST_CASE("a prepared server that is wanted is started with its agent", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  const mesh::v1::Job prepare = lane.NewPrepare("p");
  CHECK(lane.Give(prepare).empty());
  REQUIRE(lane.Ends(prepare.id()) == JobReport::STATE_SUCCEEDED);
  lane.Stop();
  lane.Start();
  CHECK(Eventually(kPatience, [&] { return lane.datastore.asked() == Words{"prepare", "start"}; }));
  const mesh::v1::Job stop = lane.NewJob();
  CHECK(lane.Give(stop).empty());
  REQUIRE(lane.Ends(stop.id()) == JobReport::STATE_SUCCEEDED);
  lane.Stop();
  lane.Start();
  const mesh::v1::Job again = lane.NewJob();
  CHECK(lane.Give(again).empty());
  REQUIRE(lane.Ends(again.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.datastore.asked() == Words{"prepare", "start", "stop", "stop"});
}

// Prepares the lane's server, which is then meant to run.
void Prepare(GuestLane& lane) {
  lane.Start();
  const mesh::v1::Job prepare = lane.NewPrepare("p");
  CHECK(lane.Give(prepare).empty());
  REQUIRE(lane.Ends(prepare.id()) == JobReport::STATE_SUCCEEDED);
}

mesh::v1::Job NewConfigure(GuestLane& lane, const std::string& parameter, bool may_restart) {
  mesh::v1::Job job = lane.NewJob();
  job.mutable_configure()->set_may_restart(may_restart);
  (*job.mutable_configure()->mutable_settings()->mutable_parameters())[parameter] = "1";
  return job;
}

TEST_CASE("a configuration says whether a restart is needed, and the next start uses it",
          "[unit][agent]") {
  GuestLane lane;
  Prepare(lane);
  const mesh::v1::Job gently = NewConfigure(lane, "a", false);
  CHECK(lane.Give(gently).empty());
  REQUIRE(lane.Ends(gently.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.FinalReports(gently.id()).front().restart_required());
  const mesh::v1::Job wholly = NewConfigure(lane, "b", true);
  CHECK(lane.Give(wholly).empty());
  REQUIRE(lane.Ends(wholly.id()) == JobReport::STATE_SUCCEEDED);
  CHECK_FALSE(lane.FinalReports(wholly.id()).front().restart_required());
  mesh::v1::Job restart = lane.NewJob();
  restart.mutable_restart();
  CHECK(lane.Give(restart).empty());
  REQUIRE(lane.Ends(restart.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.datastore.asked() == Words{"prepare", "configure", "configure", "stop", "start"});
  CHECK(lane.datastore.settings()->parameters.count("b") == 1);
  lane.Stop();
  lane.Start();
  CHECK(Eventually(kPatience, [&] { return lane.datastore.asked().size() == 6; }));
  CHECK(lane.datastore.settings()->parameters.count("b") == 1);
}

TEST_CASE("a configuration that fails is not what the next start uses", "[unit][agent]") {
  GuestLane lane;
  Prepare(lane);
  const mesh::v1::Job refused = NewConfigure(lane, "refused", true);
  CHECK(lane.Give(refused).empty());
  REQUIRE(lane.Ends(refused.id()) == JobReport::STATE_FAILED);
  CHECK_FALSE(lane.FinalReports(refused.id()).front().retryable());
  CHECK(lane.datastore.asked() == Words{"prepare"});
  lane.datastore.Fail(absl::InvalidArgumentError("it does not start"));
  const mesh::v1::Job failing = NewConfigure(lane, "a", true);
  CHECK(lane.Give(failing).empty());
  REQUIRE(lane.Ends(failing.id()) == JobReport::STATE_FAILED);
  CHECK(lane.state->settings()->parameters.empty());
}

TEST_CASE("a server that is meant to be stopped is configured for its next start",
          "[unit][agent]") {
  GuestLane lane;
  Prepare(lane);
  const mesh::v1::Job stop = lane.NewJob();
  CHECK(lane.Give(stop).empty());
  REQUIRE(lane.Ends(stop.id()) == JobReport::STATE_SUCCEEDED);
  const mesh::v1::Job configure = NewConfigure(lane, "a", GENERATE(true, false));
  CHECK(lane.Give(configure).empty());
  REQUIRE(lane.Ends(configure.id()) == JobReport::STATE_SUCCEEDED);
  CHECK_FALSE(lane.FinalReports(configure.id()).front().restart_required());
  CHECK(lane.datastore.asked() == Words{"prepare", "stop"});
  mesh::v1::Job start = lane.NewJob();
  start.mutable_start();
  CHECK(lane.Give(start).empty());
  REQUIRE(lane.Ends(start.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.datastore.settings()->parameters.count("a") == 1);
}

TEST_CASE("nothing is configured or upgraded where no server is", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  mesh::v1::Job upgrade = lane.NewJob();
  upgrade.mutable_upgrade()->mutable_settings()->set_version_number("2");
  for (const mesh::v1::Job& job : {NewConfigure(lane, "a", true), upgrade}) {
    CHECK(lane.Give(job).empty());
    CHECK(lane.Ends(job.id()) == JobReport::STATE_FAILED);
  }
  CHECK(lane.datastore.asked().empty());
}

TEST_CASE("an upgrade that fails after it was committed is what the next start goes on with",
          "[unit][agent]") {
  GuestLane lane;
  Prepare(lane);
  const mesh::v1::Job stop = lane.NewJob();
  CHECK(lane.Give(stop).empty());
  REQUIRE(lane.Ends(stop.id()) == JobReport::STATE_SUCCEEDED);
  lane.datastore.Fail(absl::InternalError("broken"));
  mesh::v1::Job upgrade = lane.NewJob();
  upgrade.mutable_upgrade()->mutable_settings()->set_version_number("2");
  CHECK(lane.Give(upgrade).empty());
  REQUIRE(lane.Ends(upgrade.id()) == JobReport::STATE_FAILED);
  CHECK(lane.state->settings()->version_number == "2");
  CHECK(lane.state->wanted());
  lane.Stop();
  lane.Start();
  CHECK(Eventually(kPatience, [&] {
    return lane.datastore.asked() == Words{"prepare", "stop", "upgrade", "start"};
  }));
  CHECK(lane.datastore.settings()->version_number == "2");
}

TEST_CASE("a guest that adopts data has a server from then on", "[unit][agent]") {
  GuestLane lane;
  lane.Start();
  mesh::v1::Job adopt = lane.NewJob();
  adopt.mutable_adopt()->mutable_settings()->set_memory_mib(1024);
  CHECK(lane.Give(adopt).empty());
  REQUIRE(lane.Ends(adopt.id()) == JobReport::STATE_SUCCEEDED);
  CHECK(lane.state->prepared());
  CHECK(lane.state->wanted());
  CHECK(lane.state->settings()->memory_mib == 1024);
}

TEST_CASE("a restart that is cancelled leaves a server that runs", "[unit][agent]") {
  GuestLane lane;
  Prepare(lane);
  lane.datastore.Hold();
  mesh::v1::Job restart = lane.NewJob();
  restart.mutable_restart();
  CHECK(lane.Give(restart).empty());
  REQUIRE(lane.IsRunning(restart.id()));
  REQUIRE(Eventually(kPatience, [&] { return lane.datastore.asked().back() == "stop"; }));
  CHECK(lane.Cancel(restart.id()).empty());
  REQUIRE(Eventually(kPatience, [&] { return lane.datastore.asked().back() == "start"; }));
  lane.datastore.Release();
  CHECK(lane.Ends(restart.id()) == JobReport::STATE_CANCELLED);
}

}  // namespace
}  // namespace trove::agent
