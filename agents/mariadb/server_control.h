#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "agents/mariadb/connection.h"
#include "agents/mariadb/server_config.h"
#include "libtrove/agent/runtime.h"
#include "libtrove/base/call.h"

namespace trove::mariadb {

/// What to do when a server does not come up with a new configuration.
enum class Fallback { kNone, kLastGood };

/// The server's process and the files it is started with, all in the guest's directory:
///   my.cnf        what a server has come up with: the last good configuration
///   my.trial.cnf  what was tried last; a server that came up with it goes on using it
/// A file is written only while no server runs that was started from it, or with what that server
/// has taken over already, so that a running server's file always says what it runs with, whatever
/// was killed when. One thread at a time, but for Connect.
class ServerControl {
 public:
  /// `parts` must outlive this object.
  explicit ServerControl(const agent::DatastoreParts& parts);

  /// What a server with these settings is started from. Errors: as MakeServerConfig.
  absl::StatusOr<ServerConfig> ConfigOf(const agent::ServerSettings& settings) const;
  /// The last good configuration; nothing when there is none.
  std::optional<ServerConfig> LastGood() const;
  /// What the running server was started with; nothing when none runs.
  absl::StatusOr<std::optional<ServerConfig>> Running(const Call& call) const;
  /// Notes what the running server has taken over, for when it is started anew.
  absl::Status Note(const Call& call, const ServerConfig& config) const;

  /// As the agent's account, waiting until the server answers. Errors: kFailedPrecondition: it
  /// ended by itself `most_ends` times meanwhile, with its own words; kPermissionDenied.
  absl::StatusOr<std::unique_ptr<Connection>> Connect(const Call& call, int most_ends) const;
  /// The same, as root of a server whose accounts are not secured yet.
  absl::StatusOr<std::unique_ptr<Connection>> ConnectAsRoot(const Call& call) const;

  /// Starts the server with `config`, which is good from now on: there is no way back.
  absl::Status Start(const Call& call, const ServerConfig& config);
  /// Starts the server as it was started last, if it does not run.
  absl::Status StartLastGood(const Call& call);
  /// Stops the server, starts it with `config`, and waits until it answers. When it does not, it is
  /// stopped and, with the fallback, started as it was (unless that was another engine). Errors:
  /// kInvalidArgument: it does not start so, with its own words.
  absl::Status Try(const Call& call, const ServerConfig& config, Fallback fallback);
  /// Stops the server and starts one with `config` that nobody but this agent reaches, until Try or
  /// StartLastGood. Waits until it answers. Errors: as Try, which leaves none running.
  absl::Status StartAlone(const Call& call, ServerConfig config);
  /// Starts a server nobody but this agent reaches, after it has run `statements` (a line each).
  /// They lie in a file of 0600, which Stop removes.
  absl::Status StartPrivately(const Call& call, ServerConfig config, const std::string& statements);
  /// In order, and by force when that takes longer than `patience` or half of the call's time.
  absl::Status Stop(const Call& call, absl::Duration patience = absl::Minutes(1)) const;
  /// Whether the server's last end was one in order.
  absl::StatusOr<bool> EndedInOrder(const Call& call) const;

  const std::filesystem::path& data_dir() const { return data_dir_; }

 private:
  absl::Status Launch(const Call& call,
                      const ServerConfig& config,
                      const std::filesystem::path& file);
  absl::StatusOr<std::unique_ptr<Connection>> ConnectAs(const Call& call,
                                                        const std::string& user,
                                                        const Secret& password,
                                                        int most_ends) const;
  std::string LastError() const;

  const agent::DatastoreParts& parts_;
  const std::filesystem::path guest_dir_;
  const std::filesystem::path data_dir_;
  const std::filesystem::path tmp_dir_;
  const std::filesystem::path good_file_;
  const std::filesystem::path trial_file_;
  const std::filesystem::path private_file_;
  const std::filesystem::path statements_file_;
  const std::filesystem::path log_file_;
  std::uint64_t log_begin_ = 0;  // where the log of the last start begins
};

}  // namespace trove::mariadb
