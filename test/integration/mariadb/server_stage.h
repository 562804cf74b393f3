#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "agents/mariadb/mariadb_datastore.h"
#include "agents/mariadb/variables.h"
#include "libtrove/agent/agent_config.h"
#include "libtrove/agent/guest_identity.h"
#include "libtrove/agent/guest_state.h"
#include "libtrove/agent/keeper_client.h"
#include "libtrove/agent/server_process.h"
#include "test/support/temporary_directory.h"

namespace trove::mariadb {

/// One MariaDB server under a real keeper, driven by its Datastore in the test's own process: what
/// an agent does, without what it needs around it. Aborts when something fails that no test is
/// about. Everything it started is dead when it goes. Used by one thread at a time.
class ServerStage {
 public:
  ServerStage();
  ~ServerStage();
  ServerStage(const ServerStage&) = delete;
  ServerStage& operator=(const ServerStage&) = delete;

  /// A folder of programs that stands for an installed engine. Each has a program for the server
  /// that `script` gives: what a shell does before it becomes the server, with its arguments in $@.
  std::string MakeEngine(const std::string& name, const std::string& script = "") const;
  /// 512 MiB, one processor, an engine of MakeEngine.
  agent::ServerSettings settings() const { return settings_; }

  /// A server with database `shop` and user `ann`, whose password is `sesame`.
  void Prepare();
  /// What an agent does after a success.
  void Remember(const agent::ServerSettings& settings);

  /// As a new agent would be: with nothing in memory.
  void Reopen();
  /// As another life of the guest: with nothing but the volume, and another password.
  void Rebirth();

  agent::Datastore& datastore() { return *datastore_; }
  agent::GuestState& state() { return *state_; }
  absl::StatusOr<bool> Configure(const agent::ServerSettings& settings,
                                 agent::Restarting restarting = agent::Restarting::kAllowed);
  absl::Status Upgrade(
      const agent::ServerSettings& settings, const agent::Progress& say = [](std::string_view) {});
  absl::Status Start();

  /// Does `what` in a process of its own, which dies by SIGKILL after `life`, or when the datastore
  /// says `word`. True: it was killed before it had done it.
  bool KilledIn(absl::Duration life, const std::function<void()>& what) const;
  agent::Progress DieAt(std::string word) const;

  /// The first column of the first row, or `error: …`. As the agent's account over the private
  /// socket; as ann over TCP.
  std::string Ask(const std::string& sql) const;
  std::string AskAsAnn(const std::string& sql, const std::string& password = "sesame") const;
  std::string Global(const std::string& variable) const;
  std::map<std::string, Variable> Describe(const std::set<std::string>& names) const;
  /// Any account over the private socket.
  std::string AskAs(const std::string& user,
                    const std::string& password,
                    const std::string& sql) const;

  keeper::ProcessStatus Process() const;
  /// By the keeper, whose server does not come back.
  void StopServer(int signal) const;
  std::filesystem::path guest_dir() const { return config_.guest_dir; }
  std::string Logs() const;

 private:
  void StartKeeper();
  void StopKeeper();
  void Open();

  const TemporaryDirectory folder_;
  agent::AgentConfig config_;
  std::optional<agent::IdentityFiles> files_;
  std::optional<keeper::KeeperClient> keeper_;
  std::optional<agent::ServerProcess> server_;
  Secret password_;
  agent::ServerSettings settings_;
  std::unique_ptr<agent::GuestState> state_;
  std::unique_ptr<agent::Datastore> datastore_;
};

/// A call that is long enough for anything here.
Call Soon();

bool IsError(const std::string& answer);

}  // namespace trove::mariadb
