#include "test/integration/keeper/test_guest.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "test/support/eventually.h"

namespace trove::keeper {
namespace {

constexpr uid_t kFirstTestUid = 310000;  // no instance of a mesh on this machine has it

}  // namespace

const char kPoliteServer[] =
    "trap 'exit 7' TERM; echo up > ready; while :; do sleep 60 & wait; done";
const char kDeafServer[] = "trap '' TERM; echo up > ready; while :; do sleep 60; done";

Call Soon() {
  return CallFor(absl::Seconds(20));
}

Command Shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, "", ""};
}

bool IsAlive(pid_t pid) {
  const std::vector<std::string> state = ProcStatus(pid, "State");
  return !state.empty() && state[0] != "Z" && state[0] != "X";
}

std::vector<std::string> ProcStatus(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) != 0) continue;
    std::istringstream words(line.substr(key.size() + 1));
    return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
  }
  return {};
}

std::string Text(const std::filesystem::path& path) {
  return ReadFile(path).value_or("");
}

TestGuest::TestGuest() : client_((directory_ / "g" / "keeper.sock").string(), "guest-1") {
  std::filesystem::create_directory(directory());
  spec_.guest_id = "guest-1";
  spec_.mesh_id = "deadbeef";
  spec_.generation = 1;
  spec_.guest_dir = directory();
  spec_.socket = client_.socket_path();
  spec_.log = (*this / "keeper.log").string();
  spec_.agent = Shell("while :; do sleep 60; done");
  spec_.stop_grace = std::chrono::milliseconds(500);
  spec_.backoff_initial = std::chrono::milliseconds(10);
  if (::geteuid() == 0) {
    spec_.uid = kFirstTestUid + static_cast<uid_t>(::getpid()) % 10000;
    spec_.gid = spec_.uid;
    REQUIRE(::chmod(directory_.path().c_str(), 0711) == 0);
    REQUIRE(::chown(directory().c_str(), spec_.uid, spec_.gid) == 0);
  }
}

TestGuest::~TestGuest() {
  const auto status = client_.GetStatus(Soon());
  if (!status.ok()) return;
  ::kill(status->keeper_pid, SIGTERM);
  const pid_t pids[] = {status->server.pid, status->agent.pid, status->keeper_pid};
  for (const pid_t pid : pids) {
    if (Eventually(absl::Seconds(5), [&] { return pid == 0 || !IsAlive(pid); })) continue;
    ::kill(pid, SIGKILL);
  }
}

absl::Status TestGuest::TryStart() {
  const absl::Status written = WriteFileAtomically(spec_path(), EncodeSpec(spec_), 0600);
  if (!written.ok()) return written;
  return StartKeeper(Soon(), TROVE_KEEPER_BINARY, spec_path());
}

void TestGuest::Start() {
  const absl::Status started = TryStart();
  INFO(MessageOf(started));
  REQUIRE(started.ok());
}

void TestGuest::KillKeeper() {
  const pid_t pid = Status().keeper_pid;
  REQUIRE(::kill(pid, SIGKILL) == 0);
  REQUIRE(Eventually(absl::Seconds(5), [pid] { return !IsAlive(pid); }));
}

KeeperStatus TestGuest::Status() const {
  auto status = client_.GetStatus(Soon());
  INFO(MessageOf(status.status()));
  REQUIRE(status.ok());
  return *std::move(status);
}

pid_t TestGuest::StartServer(const std::string& script, bool restart, bool wait_for_ready) {
  std::filesystem::remove(*this / "ready");
  StartServerRequest request;
  request.generation = Status().generation;
  request.command = Shell(script);
  request.command.output = (*this / "server.log").string();
  request.restart = restart;
  const auto started = client_.StartServer(Soon(), request);
  INFO(MessageOf(started.status()));
  REQUIRE(started.ok());
  REQUIRE(started->server.running);
  if (wait_for_ready) {
    REQUIRE(
        Eventually(absl::Seconds(10), [this] { return std::filesystem::exists(*this / "ready"); }));
  }
  return started->server.pid;
}

}  // namespace trove::keeper
