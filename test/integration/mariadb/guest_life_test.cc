#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include <catch2/catch.hpp>
#include <mysql.h>

#include "libtrove/agent/guest_identity.h"
#include "libtrove/base/files.h"
#include "libtrove/base/handle.h"
#include "test/integration/mariadb/guest_stage.h"
#include "test/support/eventually.h"

namespace trove::mariadb {
namespace {

using mesh::v1::JobReport;

// Runs one statement and gives the first column of the first row, or what went wrong.
std::string Run(MYSQL* connected, const std::string& sql) {
  if (mysql_query(connected, sql.c_str()) != 0)
    return std::string("error: ") + mysql_error(connected);
  const Handle<MYSQL_RES, mysql_free_result> result(mysql_store_result(connected));
  if (result == nullptr) return "";
  const MYSQL_ROW row = mysql_fetch_row(result.get());
  return row == nullptr || row[0] == nullptr ? "" : row[0];
}

// As a client over TCP that insists on TLS and checks the server's certificate.
std::string AsClient(const GuestStage& stage,
                     const std::string& user,
                     const std::string& password,
                     const std::string& sql) {
  const Handle<MYSQL, mysql_close> mysql(mysql_init(nullptr));
  const std::string authority = stage.endpoint_authority();
  const my_bool yes = 1;
  mysql_options(mysql.get(), MYSQL_OPT_SSL_CA, authority.c_str());
  mysql_options(mysql.get(), MYSQL_OPT_SSL_ENFORCE, &yes);
  mysql_options(mysql.get(), MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
  if (mysql_real_connect(mysql.get(),
                         stage.place().address.c_str(),
                         user.c_str(),
                         password.c_str(),
                         "shop",
                         static_cast<unsigned>(stage.place().port),
                         nullptr,
                         0) == nullptr) {
    return std::string("error: ") + mysql_error(mysql.get());
  }
  return Run(mysql.get(), sql);
}

std::string AsAnn(const GuestStage& stage, const std::string& sql) {
  return AsClient(stage, "ann", stage.password(), sql);
}

// Over the guest's private socket.
std::string AsLocal(const GuestStage& stage,
                    const std::string& user,
                    const std::string& password,
                    const std::string& sql) {
  const Handle<MYSQL, mysql_close> mysql(mysql_init(nullptr));
  const std::string socket = stage.layout().Sockets(stage.guest()) / "db.sock";
  if (mysql_real_connect(
          mysql.get(), nullptr, user.c_str(), password.c_str(), nullptr, 0, socket.c_str(), 0) ==
      nullptr) {
    return std::string("error: ") + mysql_error(mysql.get());
  }
  return Run(mysql.get(), sql);
}

bool IsError(const std::string& answer) {
  return answer.substr(0, 6) == "error:";
}

uid_t OwnerOf(const std::filesystem::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_uid : static_cast<uid_t>(-1);
}

std::string ProcessPath(pid_t pid) {
  return "/proc/" + std::to_string(pid);
}

// Whether nothing is left of a process but, perhaps, its number until somebody reaps it.
bool HasEnded(pid_t pid) {
  return ReadFile(ProcessPath(pid) + "/cmdline").value_or("").empty();
}

// Every file below `folder` in which `text` stands in clear.
std::vector<std::string> FilesWith(const std::filesystem::path& folder, const std::string& text) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    if (content.find(text) != std::string::npos) found.push_back(entry.path());
  }
  return found;
}

TEST_CASE("a MariaDB guest is made, used over checked TLS, restarted and removed without a trace",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.Bring());
  const mesh::v1::Job prepare = stage.PrepareJob();
  const JobReport::State prepared = stage.Do(prepare);
  INFO(stage.Logs());
  REQUIRE(prepared == JobReport::STATE_SUCCEEDED);
  CHECK(stage.Result(prepare.id())->running_version().substr(0, 6) == "10.11.");
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));

  CHECK(AsAnn(stage, "SELECT 1") == "1");
  CHECK(AsAnn(stage, "CREATE TABLE t (n INT)").empty());
  CHECK(AsAnn(stage, "INSERT INTO t VALUES (42)").empty());
  CHECK(AsAnn(stage, "SELECT n FROM t") == "42");
  CHECK_FALSE(AsAnn(stage, "SHOW STATUS LIKE 'Ssl_cipher'").empty());
  CHECK(IsError(AsAnn(stage, "CREATE DATABASE other")));
  CHECK(IsError(AsClient(stage, "ann", "wrong", "SELECT 1")));
  CHECK(IsError(AsClient(stage, "root", "", "SELECT 1")));
  CHECK(IsError(AsClient(stage, "", "", "SELECT 1")));

  // Nobody else comes in, from near either.
  const agent::IdentityFiles files(stage.layout().State(stage.guest()));
  const auto sealing_key =
      identity::PrivateKey::FromPem(Secret(ReadFile(files.sealing_key).value_or("")));
  REQUIRE(sealing_key.ok());
  const std::string admin = agent::ServerPasswordOf(*sealing_key).Reveal();
  CHECK(AsLocal(stage,
                "os_admin",
                admin,
                "SELECT GROUP_CONCAT(User, '@', Host ORDER BY User, Host) FROM mysql.user") ==
        "ann@%,mariadb.sys@localhost,os_admin@localhost,root@localhost");
  CHECK(AsLocal(stage, "os_admin", admin, "SHOW DATABASES LIKE 'test'").empty());
  for (const char* user : {"root", "mysql", "", "mariadb.sys"})
    CHECK(IsError(AsLocal(stage, user, "", "SELECT 1")));

  // All of it runs as the guest's own user, and no password lies anywhere in clear.
  const keeper::KeeperStatus before = stage.Processes();
  const auto uid = static_cast<uid_t>(stage.place().uid);
  if (uid != 0) {
    for (const pid_t pid : {before.keeper_pid, before.agent.pid, before.server.pid})
      CHECK(OwnerOf(ProcessPath(pid)) == uid);
    CHECK(OwnerOf(stage.layout().Volume(stage.volume_spec().volume_id) / "data" / "ibdata1") ==
          uid);
  }
  CHECK(FilesWith(stage.layout().data_dir, stage.password()).empty());
  // Nothing of the building is left in the template.
  std::vector<std::string> in_template;
  for (const auto& entry :
       std::filesystem::directory_iterator(stage.layout().Template(stage.volume_spec().version.id)))
    in_template.push_back(entry.path().filename());
  CHECK(in_template == std::vector<std::string>{"data"});

  mesh::v1::Job restart = stage.NewJob();
  restart.mutable_restart();
  REQUIRE(stage.Do(restart) == JobReport::STATE_SUCCEEDED);
  CHECK(stage.Processes().server.pid != before.server.pid);
  CHECK(AsAnn(stage, "SELECT n FROM t") == "42");

  // Stop and start: the agent brings the server back by itself.
  stage.Raise();
  REQUIRE(stage.provisioner().Stop(CallFor(absl::Seconds(30)), stage.ref()).ok());
  for (const pid_t pid : {before.keeper_pid, before.agent.pid})
    CHECK(HasEnded(pid));
  CHECK(IsError(AsAnn(stage, "SELECT 1")));
  REQUIRE(stage.provisioner().Start(CallFor(absl::Seconds(30)), stage.ref()).ok());
  CHECK(Eventually(absl::Seconds(20), [&] { return AsAnn(stage, "SELECT n FROM t") == "42"; }));
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));

  const keeper::KeeperStatus last = stage.Processes();
  stage.Raise();
  const Call call = CallFor(absl::Seconds(30));
  const absl::Status removed = stage.provisioner().Remove(call, stage.ref());
  INFO(removed);
  CHECK(removed.ok());
  CHECK(stage.provisioner().RemoveVolume(call, stage.ref(), stage.volume_spec().volume_id).ok());
  for (const pid_t pid : {last.keeper_pid, last.agent.pid, last.server.pid})
    CHECK(HasEnded(pid));
  CHECK(std::filesystem::is_empty(stage.layout().Guests()));
  CHECK(std::filesystem::is_empty(stage.layout().Volumes()));
  CHECK(std::filesystem::is_empty(stage.layout().Trash()));
  CHECK_FALSE(std::filesystem::exists(stage.layout().Sockets(stage.guest())));
  CHECK(stage.provisioner().Release(call, stage.ref(), stage.place()).ok());
  // The tombstone keeps a late call from bringing it back.
  stage.Raise();
  CHECK(absl::IsAborted(stage.provisioner().Ensure(call, stage.guest_spec())));
}

TEST_CASE("an agent that dies in the middle of a prepare says so, and the next one completes it",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.Bring());
  const mesh::v1::Job first = stage.PrepareJob();
  const std::string words = GENERATE("starting the server", "creating databases and users");
  CAPTURE(words);
  REQUIRE(stage.Send(first).ok());
  REQUIRE(Eventually(absl::Seconds(20), [&] { return stage.HeardProgress(first.id(), words); }));
  REQUIRE(::kill(stage.Processes().agent.pid, SIGKILL) == 0);
  const std::optional<JobReport> cut = stage.Result(first.id());
  INFO(stage.Logs());
  REQUIRE(cut);
  // It may have been quicker than the signal.
  if (cut->state() != JobReport::STATE_SUCCEEDED) {
    CHECK(cut->state() == JobReport::STATE_INTERRUPTED);
    CHECK(cut->retryable());
  }
  CHECK(stage.Do(stage.PrepareJob()) == JobReport::STATE_SUCCEEDED);
  CHECK(AsAnn(stage, "SELECT 1") == "1");
}

TEST_CASE("a server outlives its agent, and a server that is killed comes back",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.BringPrepared());
  const keeper::KeeperStatus before = stage.Processes();
  const std::int64_t incarnation = stage.heartbeat()->incarnation();
  REQUIRE(::kill(before.agent.pid, SIGKILL) == 0);
  REQUIRE(Eventually(absl::Seconds(20),
                     [&] { return stage.heartbeat()->incarnation() > incarnation; }));
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
  CHECK(stage.Processes().server.pid == before.server.pid);
  CHECK(AsAnn(stage, "SELECT 1") == "1");

  REQUIRE(::kill(before.server.pid, SIGKILL) == 0);
  CHECK(Eventually(absl::Seconds(20), [&] { return AsAnn(stage, "SELECT 1") == "1"; }));
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
  CHECK(stage.Processes().server.pid != before.server.pid);

  // One that hangs is seen, by an agent that has heard it answer, and a restart ends it.
  const std::int64_t heard = stage.heartbeat()->sequence();
  REQUIRE(Eventually(absl::Seconds(20), [&] { return stage.heartbeat()->sequence() > heard + 1; }));
  REQUIRE(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
  const pid_t hanging = stage.Processes().server.pid;
  REQUIRE(::kill(hanging, SIGSTOP) == 0);
  const bool blocked = stage.AwaitStatus(mesh::v1::SERVER_STATUS_BLOCKED);
  INFO(stage.heartbeat()->ShortDebugString());
  CHECK(blocked);
  REQUIRE(::kill(hanging, SIGCONT) == 0);
  CHECK(stage.AwaitStatus(mesh::v1::SERVER_STATUS_HEALTHY));
  REQUIRE(::kill(hanging, SIGSTOP) == 0);
  mesh::v1::Job restart = stage.NewJob();
  restart.mutable_restart();
  restart.mutable_time_limit()->set_seconds(8);
  CHECK(stage.Do(restart) == JobReport::STATE_SUCCEEDED);
  CHECK(stage.Processes().server.pid != hanging);
  CHECK(AsAnn(stage, "SELECT 1") == "1");

  // Ensuring a guest that runs touches nothing of it.
  const keeper::KeeperStatus now = stage.Processes();
  stage.Raise();
  REQUIRE(stage.provisioner().Ensure(CallFor(absl::Seconds(30)), stage.guest_spec()).ok());
  CHECK(stage.Processes().server.pid == now.server.pid);
  CHECK(stage.Processes().agent.pid == now.agent.pid);
}

TEST_CASE("a guest outlives its keeper and the bus, and comes back after a reboot",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.BringPrepared());
  const keeper::KeeperStatus before = stage.Processes();
  REQUIRE(::kill(before.keeper_pid, SIGKILL) == 0);
  stage.Raise();
  REQUIRE(stage.provisioner().Ensure(CallFor(absl::Seconds(30)), stage.guest_spec()).ok());
  CHECK(stage.Processes().server.pid == before.server.pid);
  CHECK(stage.Processes().agent.pid == before.agent.pid);
  CHECK(AsAnn(stage, "SELECT 1") == "1");

  stage.nats().Kill();
  CHECK(AsAnn(stage, "SELECT 1") == "1");
  REQUIRE(stage.nats().Restart().ok());
  const std::int64_t heard = stage.heartbeat()->sequence();
  CHECK(Eventually(absl::Seconds(20), [&] { return stage.heartbeat()->sequence() > heard; }));
  mesh::v1::Job restart = stage.NewJob();
  restart.mutable_restart();
  CHECK(stage.Do(restart) == JobReport::STATE_SUCCEEDED);

  // As after a reboot: nothing runs, and everything is on the disk.
  const keeper::KeeperStatus last = stage.Processes();
  for (const pid_t pid : {last.keeper_pid, last.agent.pid, last.server.pid})
    REQUIRE(::kill(pid, SIGKILL) == 0);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return HasEnded(last.server.pid); }));
  CHECK(IsError(AsAnn(stage, "SELECT 1")));
  REQUIRE(stage.provisioner().Ensure(CallFor(absl::Seconds(30)), stage.guest_spec()).ok());
  CHECK(Eventually(absl::Seconds(20), [&] { return AsAnn(stage, "SELECT 1") == "1"; }));
}

TEST_CASE("an agent takes no job that is not its own, and repeats what nobody has heard",
          "[integration][mariadb]") {
  GuestStage stage;
  REQUIRE(stage.Bring());
  const auto reason = [&](const mesh::v1::JobEnvelope& envelope) {
    const auto ack = stage.SendEnvelope(envelope);
    return ack.ok() ? ack->reason() : ack.status().ToString();
  };
  mesh::v1::Job job = stage.NewJob();
  job.mutable_stop();
  mesh::v1::Job other = job;
  other.set_guest_id("00000000-0000-4000-8000-000000000000");
  CHECK(reason(stage.Sign(other)) == "WRONG_GUEST");
  mesh::v1::JobEnvelope forged = stage.Sign(job);
  forged.set_job(other.SerializeAsString());
  CHECK(reason(forged) == "BAD_SIGNATURE");
  mesh::v1::Job strange = job;
  strange.GetReflection()->MutableUnknownFields(&strange)->AddVarint(900, 1);
  CHECK(reason(stage.Sign(strange)) == "UNKNOWN_KIND");
  mesh::v1::Job old = job;
  old.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(absl::Now()) - 5);
  CHECK(reason(stage.Sign(old)) == "EXPIRED");

  stage.Raise();
  mesh::v1::Job newer = stage.NewJob();
  newer.mutable_stop();
  stage.SetDeaf(true);
  CHECK(reason(stage.Sign(newer)).empty());
  CHECK(reason(stage.Sign(job)) == "STALE_GENERATION");
  // Nobody acknowledges the report, so it comes again, also from the next agent.
  REQUIRE(stage.Result(newer.id(), 1));
  REQUIRE(::kill(stage.Processes().agent.pid, SIGKILL) == 0);
  const int heard = stage.ReportsOf(newer.id());
  stage.SetDeaf(false);
  REQUIRE(stage.Result(newer.id(), heard));
  // The same job is not done again, and reported again.
  const int before = stage.ReportsOf(newer.id());
  CHECK(reason(stage.Sign(newer)).empty());
  CHECK(stage.Result(newer.id(), before));
  // Settled, it is forgotten; settling twice is fine.
  const std::filesystem::path journal = stage.layout().State(stage.guest()) / "jobs";
  CHECK_FALSE(std::filesystem::is_empty(journal));
  CHECK(stage.Settle(newer.id())->reason().empty());
  CHECK(std::filesystem::is_empty(journal));
  CHECK(stage.Settle(newer.id())->reason().empty());
}

}  // namespace
}  // namespace trove::mariadb
