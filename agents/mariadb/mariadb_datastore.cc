#include "agents/mariadb/mariadb_datastore.h"

#include <poll.h>

#include <algorithm>
#include <future>
#include <set>
#include <utility>

#include "agents/mariadb/accounts.h"
#include "agents/mariadb/engine.h"
#include "agents/mariadb/template.h"
#include "agents/mariadb/upgrade.h"
#include "agents/mariadb/variables.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::mariadb {
namespace {

constexpr absl::Duration kKeeperLimit = absl::Seconds(1);  // it answers from memory
constexpr absl::Duration kBackLimit = absl::Seconds(10);
constexpr int kMostEnds = 3;
constexpr char kBufferPool[] = "innodb_buffer_pool_size";

// The exact number of the server: `10.11.6`.
absl::StatusOr<std::string> VersionOf(Connection& connection) {
  TROVE_ASSIGN_OR_RETURN(const auto rows, connection.Query("SELECT VERSION()"));
  if (rows.empty()) return absl::InternalError("the server does not say its version");
  return rows.front().front().substr(0, rows.front().front().find('-'));
}

// Some versions change the size of the pool only after they have said that they did; whoever waits
// may take the memory away then.
absl::Status AwaitBufferPool(const Call& call, Connection& connection) {
  while (true) {
    TROVE_ASSIGN_OR_RETURN(
        const auto rows,
        connection.Query("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_resize_status'"));
    if (rows.empty() || rows.front().size() < 2) return absl::OkStatus();
    const std::string& status = rows.front()[1];
    if (status.empty() || status.starts_with("Completed") || status.starts_with("Size did not"))
      return absl::OkStatus();
    TROVE_RETURN_IF_ERROR(Annotate(call.Check(), "change the buffer pool: " + status));
    ::poll(nullptr, 0, 20);
  }
}

// What has to change in a server that runs, and how.
struct Difference {
  std::map<std::string, Variable> variables;
  Changes dynamic;
  std::set<std::string> at_start;  // only when it starts
};

// Nobody asks for these any more. One that a running server does not take back to what it is
// started with (another variable may be in its way) goes back when it starts.
absl::Status GoBack(Connection& connection,
                    const std::set<std::string>& asked,
                    Difference& difference) {
  Changes back;
  for (const auto& change : difference.dynamic)
    if (asked.count(change.first) == 0) back.insert(change);
  const absl::Status all = SetVariables(connection, difference.variables, back);
  if (!absl::IsInvalidArgument(all)) return all;
  for (const auto& change : back) {
    const absl::Status set = SetVariables(connection, difference.variables, {change});
    if (set.ok()) continue;
    if (!absl::IsInvalidArgument(set)) return set;
    difference.at_start.insert(change.first);
    difference.dynamic.erase(change.first);
  }
  return absl::OkStatus();
}

absl::StatusOr<Difference> DifferenceOf(Connection& connection,
                                        const ServerConfig& running,
                                        const ServerConfig& config) {
  Difference difference;
  std::set<std::string> names;
  for (const auto& [name, value] : running.variables) {
    if (config.variables.count(name) == 0) names.insert(name);
  }
  for (const auto& [name, value] : config.variables) {
    const auto before = running.variables.find(name);
    if (before == running.variables.end() || before->second != value) names.insert(name);
  }
  TROVE_ASSIGN_OR_RETURN(difference.variables, DescribeVariables(connection, names));
  for (const std::string& name : names) {
    const auto wanted = config.variables.find(name);
    const auto variable = difference.variables.find(name);
    const bool known = variable != difference.variables.end();
    if (known && wanted != config.variables.end())
      TROVE_RETURN_IF_ERROR(CheckValue(name, variable->second, wanted->second));
    if (!known || variable->second.read_only) {
      difference.at_start.insert(name);
    } else if (wanted == config.variables.end()) {
      difference.dynamic[name] = std::nullopt;
    } else {
      difference.dynamic[name] = wanted->second;
    }
  }
  return difference;
}

}  // namespace

absl::StatusOr<std::unique_ptr<agent::Datastore>> MariadbDatastore::Make(
    const agent::DatastoreParts& parts) {
  return std::unique_ptr<agent::Datastore>(new MariadbDatastore(parts));
}

MariadbDatastore::MariadbDatastore(const agent::DatastoreParts& parts)
    : parts_(parts), server_(parts_) {}

void MariadbDatastore::ForgetAnswers() {
  const MutexLock lock(mutex_);
  health_.reset();
  answered_run_ = 0;
}

absl::Status MariadbDatastore::Validate(const agent::ServerSettings& settings) const {
  return server_.ConfigOf(settings).status();
}

absl::Status MariadbDatastore::Prepare(const Call& call,
                                       const agent::PrepareSpec& spec,
                                       const agent::Progress& say) {
  TROVE_ASSIGN_OR_RETURN(const ServerConfig config, server_.ConfigOf(spec.settings));
  if (!IsInitialized(server_.data_dir())) {
    say("making the data directory");
    TROVE_RETURN_IF_ERROR(InitializeData(call, server_.data_dir(), config.engine));
  }
  say("starting the server");
  TROVE_RETURN_IF_ERROR(server_.Start(call, config));
  // What a provisioner copied is not on the disk yet. The server's start takes as long as this.
  std::future<absl::Status> durable =
      std::async(std::launch::async, [this] { return SyncFileSystem(server_.data_dir()); });
  // A prepare that was cut off may have secured the accounts already.
  absl::StatusOr<std::unique_ptr<Connection>> connection = server_.Connect(call, kMostEnds);
  if (absl::IsPermissionDenied(connection.status())) connection = server_.ConnectAsRoot(call);
  TROVE_RETURN_IF_ERROR(connection.status());
  say("securing accounts");
  TROVE_RETURN_IF_ERROR(SecureAccounts(**connection, parts_.server_password));
  if (!spec.databases.empty() || !spec.users.empty()) say("creating databases and users");
  TROVE_RETURN_IF_ERROR(CreateContent(**connection, spec.databases, spec.users));
  return durable.get();
}

absl::Status MariadbDatastore::Start(const Call& call,
                                     const std::optional<agent::ServerSettings>& settings,
                                     const agent::Progress& say) {
  say("starting the server");
  TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus process, parts_.server.Status(call));
  if (process.running) {
    const absl::Status up = server_.Connect(call, kMostEnds).status();
    if (!absl::IsFailedPrecondition(up)) return up;
  }
  if (settings) {
    TROVE_ASSIGN_OR_RETURN(const ServerConfig config, server_.ConfigOf(*settings));
    if (config != server_.LastGood()) return server_.Try(call, config, Fallback::kLastGood);
    // Whatever the keeper was left with by an attempt that was cut off.
    TROVE_RETURN_IF_ERROR(server_.Stop(call));
  }
  TROVE_RETURN_IF_ERROR(server_.StartLastGood(call));
  return server_.Connect(call, kMostEnds).status();
}

absl::Status MariadbDatastore::Stop(const Call& call, const agent::Progress& say) {
  say("stopping the server");
  ForgetAnswers();
  return server_.Stop(call);
}

absl::StatusOr<bool> MariadbDatastore::Configure(const Call& call,
                                                 const agent::ServerSettings& settings,
                                                 agent::Restarting restarting,
                                                 const agent::Progress& say) {
  say("configuring the server");
  TROVE_ASSIGN_OR_RETURN(const ServerConfig config, server_.ConfigOf(settings));
  TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus process, parts_.server.Status(call));
  if (process.running || process.restart) {
    // It may have been killed a moment ago; what hangs does not get all the time there is.
    auto connection = server_.Connect(call.Within(call.Remaining() / 3), kMostEnds);
    TROVE_RETURN_IF_ERROR(call.Check());
    TROVE_ASSIGN_OR_RETURN(const std::optional<ServerConfig> running, server_.Running(call));
    if (connection.ok() && running) {
      std::set<std::string> asked;
      for (const auto& [name, value] : settings.parameters)
        asked.insert(name);
      return Reconfigure(call, **connection, *running, config, asked, restarting, say);
    }
  }
  // It serves nobody, so that nobody is disturbed.
  say("starting the server");
  ForgetAnswers();
  TROVE_RETURN_IF_ERROR(server_.Try(call, config, Fallback::kLastGood));
  return false;
}

absl::StatusOr<bool> MariadbDatastore::Reconfigure(const Call& call,
                                                   Connection& connection,
                                                   const ServerConfig& running,
                                                   const ServerConfig& config,
                                                   const std::set<std::string>& asked,
                                                   agent::Restarting restarting,
                                                   const agent::Progress& say) {
  TROVE_ASSIGN_OR_RETURN(Difference difference, DifferenceOf(connection, running, config));
  if (restarting == agent::Restarting::kForbidden)
    TROVE_RETURN_IF_ERROR(GoBack(connection, asked, difference));
  const bool restart = !difference.at_start.empty() || running.engine != config.engine;
  if (restart && restarting == agent::Restarting::kAllowed) {
    say("restarting the server");
    ForgetAnswers();
    TROVE_RETURN_IF_ERROR(server_.Try(call, config, Fallback::kLastGood));
    return false;
  }
  absl::Status set = SetVariables(connection, difference.variables, difference.dynamic);
  if (set.ok() && difference.dynamic.count(kBufferPool) != 0)
    set = AwaitBufferPool(call, connection);
  if (!set.ok()) {
    if (absl::IsInvalidArgument(set)) {
      if (restarting == agent::Restarting::kForbidden) return set;
      // A pool that is in use may not become smaller, for one.
      say("restarting the server");
      ForgetAnswers();
      TROVE_RETURN_IF_ERROR(server_.Try(call, config, Fallback::kLastGood));
      return false;
    }
    // Cut off in the middle. A server that was started anew meanwhile is as before anyhow.
    const Call back = CallFor(kBackLimit);
    if (auto again = server_.Connect(back, kMostEnds); again.ok())
      RestoreVariables(**again, difference.variables, difference.dynamic);
    TROVE_RETURN_IF_ERROR(call.Check());
    return set;
  }
  ServerConfig now = config;
  now.engine = running.engine;
  for (const std::string& name : difference.at_start) {
    const auto before = running.variables.find(name);
    if (before == running.variables.end()) {
      now.variables.erase(name);
    } else {
      now.variables[name] = before->second;
    }
  }
  TROVE_RETURN_IF_ERROR(server_.Note(call, now));
  return restart;
}

// The data know best: they may have been put back to what they were before an upgrade that failed.
absl::StatusOr<std::string> MariadbDatastore::VersionBefore(const Call& call) const {
  if (std::string version = DataVersion(server_.data_dir()); !version.empty()) return version;
  if (const auto settings = parts_.state.settings()) return settings->version_number;
  // A guest of an earlier release: its server knows.
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection,
                         server_.Connect(call, kMostEnds));
  return VersionOf(*connection);
}

// A new version does not take over what an old one has left in the middle of its work.
absl::Status MariadbDatastore::StopInOrder(const Call& call) {
  ForgetAnswers();
  TROVE_RETURN_IF_ERROR(server_.Stop(call, call.Remaining()));
  TROVE_ASSIGN_OR_RETURN(bool in_order, server_.EndedInOrder(call));
  if (in_order) return absl::OkStatus();
  TROVE_RETURN_IF_ERROR(server_.StartLastGood(call));
  TROVE_RETURN_IF_ERROR(server_.Connect(call, kMostEnds).status());
  TROVE_RETURN_IF_ERROR(server_.Stop(call, call.Remaining()));
  TROVE_ASSIGN_OR_RETURN(in_order, server_.EndedInOrder(call));
  if (in_order) return absl::OkStatus();
  return absl::FailedPreconditionError("the old version does not end in order");
}

absl::Status MariadbDatastore::Upgrade(const Call& call,
                                       const agent::ServerSettings& settings,
                                       const agent::PointOfNoReturn& committed,
                                       const agent::Progress& say) {
  TROVE_ASSIGN_OR_RETURN(const ServerConfig config, server_.ConfigOf(settings));
  for (const char* program : {"mariadbd", "mariadb-upgrade"})
    TROVE_RETURN_IF_ERROR(FindEngineProgram(settings.engine, program).status());
  TROVE_ASSIGN_OR_RETURN(const std::string before, VersionBefore(call));
  TROVE_RETURN_IF_ERROR(CheckVersions(before, settings.version_number));
  say("stopping the old version");
  // An upgrade that was cut off after it was committed has no old version to start once more, and
  // one that is taken back must not start the new one.
  const bool is_newer = agent::CompareVersions(settings.version_number, before) > 0;
  if (is_newer && parts_.state.settings() != settings) {
    TROVE_RETURN_IF_ERROR(StopInOrder(call));
  } else {
    ForgetAnswers();
    TROVE_RETURN_IF_ERROR(server_.Stop(call));
  }
  TROVE_RETURN_IF_ERROR(committed());
  // Nobody is let in before it is certain that this version stays: what clients write to it would
  // be lost if the old data were put back.
  say("starting version " + settings.version_number);
  TROVE_RETURN_IF_ERROR(server_.StartAlone(call, config));
  say("bringing the system tables to version " + settings.version_number);
  TROVE_RETURN_IF_ERROR(UpgradeTables(call,
                                      {.engine = settings.engine,
                                       .socket = parts_.config.DatabaseSocket(),
                                       .user = kAdminUser,
                                       .password = parts_.server_password,
                                       .folder = parts_.config.guest_dir}));
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection,
                         server_.Connect(call, kMostEnds));
  TROVE_ASSIGN_OR_RETURN(const std::string version, VersionOf(*connection));
  if (agent::CompareVersions(version, settings.version_number) < 0)
    return absl::InvalidArgumentError("the engine is " + version + " and not " +
                                      settings.version_number);
  say("letting clients in");
  return server_.Try(call, config, Fallback::kNone);
}

absl::Status MariadbDatastore::Adopt(const Call& call,
                                     const agent::ServerSettings& settings,
                                     const agent::Progress& say) {
  TROVE_ASSIGN_OR_RETURN(const ServerConfig config, server_.ConfigOf(settings));
  if (!IsInitialized(server_.data_dir()))
    return absl::FailedPreconditionError("the volume holds no data of a server");
  TROVE_ASSIGN_OR_RETURN(const std::optional<ServerConfig> running, server_.Running(call));
  // Unless an adoption whose report was lost has done it all.
  if (running != config || !server_.Connect(call, kMostEnds).ok()) {
    say("securing the agent's account");
    ForgetAnswers();
    TROVE_RETURN_IF_ERROR(
        server_.StartPrivately(call, config, AdoptionStatements(parts_.server_password)));
    TROVE_RETURN_IF_ERROR(server_.Connect(call, 1).status());
    TROVE_RETURN_IF_ERROR(server_.Stop(call));
    say("starting the server");
    TROVE_RETURN_IF_ERROR(server_.Start(call, config));
  }
  return server_.Connect(call, kMostEnds).status();
}

agent::ServerHealth MariadbDatastore::Check(const Call& call) {
  const MutexLock lock(mutex_);
  agent::ServerHealth health;
  absl::Status status = absl::OkStatus();
  if (health_ != nullptr) {
    status = health_->Execute("SELECT 1");
    if (!status.ok()) health_.reset();
  }
  if (health_ == nullptr) {
    absl::StatusOr<std::unique_ptr<Connection>> connection =
        Connection::Open(call, parts_.config.DatabaseSocket(), kAdminUser, parts_.server_password);
    status = connection.status();
    if (status.ok()) {
      health_ = *std::move(connection);
      const absl::StatusOr<keeper::ProcessStatus> process =
          parts_.server.Status(CallFor(kKeeperLimit, call.stop));
      if (process.ok()) answered_run_ = process->starts;
      const auto rows = health_->Query("SELECT VERSION()");
      if (rows.ok() && !rows->empty()) version_ = rows->front().front();
    }
  }
  if (status.ok()) {
    health.state = agent::ServerState::kHealthy;
    health.version = version_.substr(0, version_.find('-'));
    return health;
  }
  health.message = MessageOf(status);
  // With time of its own: a server that hangs has used up the call's.
  const absl::StatusOr<keeper::ProcessStatus> process =
      parts_.server.Status(CallFor(kKeeperLimit, call.stop));
  if (process.ok() && !process->running) {
    health.state = parts_.state.wanted() ? agent::ServerState::kCrashed : agent::ServerState::kDown;
    if (health.state == agent::ServerState::kDown) health.message.clear();  // as it should be
  } else {
    const bool answered = answered_run_ != 0 && (!process.ok() || process->starts == answered_run_);
    health.state = answered ? agent::ServerState::kBlocked : agent::ServerState::kStarting;
  }
  return health;
}

}  // namespace trove::mariadb
