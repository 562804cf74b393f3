#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <grp.h>

#include "libtrove/base/status.h"
#include "libtrove/base/subprocess.h"
#include "test/integration/keeper/test_guest.h"
#include "test/support/eventually.h"

namespace trove::keeper {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("keeper, agent and server can do nothing beyond their guest", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const pid_t server = guest.StartServer(kPoliteServer);
  const KeeperStatus status = guest.Status();
  const bool root = ::geteuid() == 0;
  if (!root) WARN("not root: there is no uid to drop");
  const std::string uid = std::to_string(root ? guest.spec().uid : ::geteuid());
  const std::string gid = std::to_string(root ? guest.spec().gid : ::getegid());
  for (const pid_t pid : {status.keeper_pid, status.agent.pid, server}) {
    CAPTURE(pid);
    CHECK(ProcStatus(pid, "Uid") == Words(4, uid));
    CHECK(ProcStatus(pid, "Gid") == Words(4, gid));
    CHECK(ProcStatus(pid, "NoNewPrivs") == Words{"1"});
    CHECK(ProcStatus(pid, "Umask") == Words{"0077"});
    CHECK(ProcStatus(pid, "CapEff") == Words{"0000000000000000"});
    CHECK(ProcStatus(pid, "CapPrm") == Words{"0000000000000000"});
    CHECK(ProcStatus(pid, "CapAmb") == Words{"0000000000000000"});
    if (!root) continue;
    CHECK(ProcStatus(pid, "Groups").empty());
    CHECK(ProcStatus(pid, "CapBnd") == Words{"0000000000000000"});
  }
  // Small enough to have one for each guest.
  CHECK(std::stoi(ProcStatus(status.keeper_pid, "VmRSS").at(0)) < 2048);
}

TEST_CASE("limits and scores of the spec hold for what is started", "[integration][keeper]") {
  TestGuest guest;
  guest.spec().limit_nofile = 321;
  guest.spec().oom_score_adj = 100;
  guest.spec().server_oom_score_adj = 300;
  guest.Start();
  const pid_t server = guest.StartServer("ulimit -n > ready; sleep 60");
  CHECK(Eventually(absl::Seconds(10), [&] { return Text(guest / "ready") == "321\n"; }));
  const auto score = [](pid_t pid) {
    return Text("/proc/" + std::to_string(pid) + "/oom_score_adj");
  };
  CHECK(score(server) == "300\n");
  CHECK(score(guest.Status().agent.pid) == "100\n");
  CHECK(score(guest.Status().keeper_pid) == "100\n");
}

TEST_CASE("a keeper joins its cgroups before it starts anything", "[integration][keeper]") {
  TestGuest guest;
  SECTION("those that are there") {
    std::vector<std::filesystem::path> made;
    for (const char* parent : {"/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      const auto path =
          std::filesystem::path(parent) / ("trove-test-" + std::to_string(::getpid()));
      if (!std::filesystem::exists(std::filesystem::path(parent) / "cgroup.procs")) continue;
      if (::mkdir(path.c_str(), 0755) == 0) made.push_back(path);
    }
    if (made.empty()) {
      WARN("no cgroup can be made here");
      return;
    }
    for (const auto& path : made)
      guest.spec().cgroups.push_back(path.string());
    guest.Start();
    const pid_t server = guest.StartServer(kPoliteServer);
    const KeeperStatus status = guest.Status();
    for (const auto& path : made) {
      const std::string members = "\n" + Text(path / "cgroup.procs");
      for (const pid_t pid : {status.keeper_pid, status.agent.pid, server}) {
        CAPTURE(path.string(), members, pid);
        CHECK(members.find("\n" + std::to_string(pid) + "\n") != std::string::npos);
      }
    }
    REQUIRE(guest.client().StopAll(Soon(), {1, std::chrono::seconds(5)}).ok());
    for (const auto& path : made)
      CHECK(Eventually(absl::Seconds(5), [&] { return ::rmdir(path.c_str()) == 0; }));
  }
  SECTION("one that is not there is an error") {
    guest.spec().cgroups = {"/nowhere"};
    const absl::Status failed = guest.TryStart();
    CHECK(failed.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(MessageOf(failed).find("join cgroup: open /nowhere/cgroup.procs") != std::string::npos);
  }
}

TEST_CASE("a spec that others could have written is refused to root", "[integration][keeper]") {
  if (::geteuid() != 0) {
    WARN("not root: a spec is its user's own");
    return;
  }
  TestGuest guest;
  const auto start = [&] {
    return StartKeeper(Soon(), TROVE_KEEPER_BINARY, guest.spec_path());
  };
  std::ofstream(guest.spec_path()) << EncodeSpec(guest.spec());
  SECTION("by its mode") {
    REQUIRE(::chmod(guest.spec_path().c_str(), 0662) == 0);
  }
  SECTION("by its owner") {
    REQUIRE(::chown(guest.spec_path().c_str(), guest.spec().uid, guest.spec().gid) == 0);
  }
  SECTION("by being a link") {
    const std::filesystem::path real = guest / "real";
    std::filesystem::rename(guest.spec_path(), real);
    std::filesystem::create_symlink(real, guest.spec_path());
  }
  CHECK(start().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a keeper that cannot come up says why", "[integration][keeper]") {
  TestGuest guest;
  std::string want;
  SECTION("no guest directory") {
    guest.spec().guest_dir = "/nowhere";
    want = "open /nowhere/keeper.lock: No such file or directory";
  }
  SECTION("no folder for the socket") {
    guest.spec().socket = "/nowhere/keeper.sock";
    want = "bind /nowhere/keeper.sock: No such file or directory";
  }
  SECTION("a damaged state") {
    std::ofstream(guest / "keeper.state") << "garbage";
    if (::geteuid() == 0)
      std::filesystem::permissions(guest / "keeper.state", std::filesystem::perms::all);
    want = "keeper.state is damaged: line 1: no line feed at the end";
  }
  const absl::Status failed = guest.TryStart();
  CHECK(failed.code() == absl::StatusCode::kFailedPrecondition);
  CAPTURE(MessageOf(failed));
  CHECK(MessageOf(failed).find(want) != std::string::npos);
}

ProgramResult Exec(std::vector<std::string> arguments) {
  ProgramSpec program;
  program.argv = {TROVE_KEEPER_BINARY, "--exec"};
  program.argv.insert(program.argv.end(), arguments.begin(), arguments.end());
  program.environment = {"PATH=/usr/bin:/bin", "KEPT=1"};
  const auto result = RunProgram(Soon(), program);
  REQUIRE(result.ok());
  return *result;
}

TEST_CASE("a program can be run as a guest would run it", "[integration][keeper]") {
  const bool root = ::geteuid() == 0;
  if (!root) WARN("not root: there is no uid to drop");
  const std::string uid = std::to_string(root ? 310001 : ::geteuid());
  const std::string gid = std::to_string(root ? 310002 : ::getegid());
  const auto ran =
      Exec({"--uid",
            uid,
            "--gid",
            gid,
            "--",
            "/bin/sh",
            "-c",
            "echo $(id -u) $(id -g) $KEPT $(umask); grep NoNewPrivs /proc/self/status; "
            "exit 5"});
  CHECK(ran.exit_code == 5);
  CHECK(ran.output == uid + " " + gid + " 1 0077\nNoNewPrivs:\t1\n");

  const auto missing = Exec({"--uid", uid, "--gid", gid, "--", "/nowhere/program"});
  CHECK(missing.exit_code == kExitFailure);
  CHECK(missing.output == "trove-keeper: execute /nowhere/program: No such file or directory\n");
  CHECK(Exec({"--uid", uid}).exit_code == kExitUsage);
  if (!root) {
    const auto denied = Exec({"--uid", "310001", "--gid", "310002", "--", "/bin/true"});
    CHECK(denied.exit_code == kExitFailure);
  }
}

}  // namespace
}  // namespace trove::keeper
