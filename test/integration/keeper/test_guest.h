#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "libtrove/agent/keeper_client.h"
#include "libtrove/base/call.h"
#include "test/support/temporary_directory.h"

namespace trove::keeper {

/// A guest on this machine with the real keeper, whose agent and server are shells. As root it has
/// a uid of its own. Everything it started is dead when it goes.
class TestGuest {
 public:
  TestGuest();
  ~TestGuest();
  TestGuest(const TestGuest&) = delete;
  TestGuest& operator=(const TestGuest&) = delete;

  Spec& spec() { return spec_; }
  std::filesystem::path directory() const { return directory_ / "g"; }
  std::filesystem::path operator/(const std::string& name) const { return directory() / name; }
  const KeeperClient& client() const { return client_; }

  /// Writes the spec file and starts a keeper by it.
  absl::Status TryStart();
  /// The same, and it must work.
  void Start();
  /// kill -9 for the keeper; returns when it is dead.
  void KillKeeper();

  KeeperStatus Status() const;
  /// Starts a server that runs `script` in a shell. Returns its pid, when the script has made the
  /// file `ready` (one that makes none: `wait_for_ready` false).
  pid_t StartServer(const std::string& script, bool restart = false, bool wait_for_ready = true);

  std::filesystem::path spec_path() const { return directory_ / "keeper.spec"; }

 private:
  TemporaryDirectory directory_;
  Spec spec_;
  KeeperClient client_;
};

/// A call that is long enough for anything here.
Call Soon();

/// A command that runs `script` in a shell.
Command Shell(const std::string& script);

/// A script that says that it is up and ends with code 7 on SIGTERM.
extern const char kPoliteServer[];
/// One that does not hear SIGTERM.
extern const char kDeafServer[];

/// Exists and has not ended (a zombie has).
bool IsAlive(pid_t pid);

/// The words after `key:` in /proc/<pid>/status.
std::vector<std::string> ProcStatus(pid_t pid, const std::string& key);

/// The text of a file, empty when there is none.
std::string Text(const std::filesystem::path& path);

}  // namespace trove::keeper
