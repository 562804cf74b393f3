#include "agents/mariadb/mariadb_datastore.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <future>
#include <utility>

#include "agents/mariadb/accounts.h"
#include "agents/mariadb/server_config.h"
#include "agents/mariadb/template.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/base/uuid.h"

namespace trove::mariadb {
namespace {

namespace fs = std::filesystem;

constexpr int kPollMs = 10;
constexpr absl::Duration kStopGrace = absl::Seconds(60);
constexpr absl::Duration kKeeperLimit = absl::Seconds(1);  // it answers from memory

}  // namespace

absl::StatusOr<std::unique_ptr<agent::Datastore>> MariadbDatastore::Make(
    const agent::DatastoreParts& parts) {
  TROVE_ASSIGN_OR_RETURN(fs::path program, FindProgram("mariadbd"));
  return std::unique_ptr<agent::Datastore>(new MariadbDatastore(parts, std::move(program)));
}

MariadbDatastore::MariadbDatastore(const agent::DatastoreParts& parts, fs::path server_program)
    : parts_(parts),
      server_program_(std::move(server_program)),
      data_dir_(fs::path(parts.config.volume_dir) / "data"),
      tmp_dir_(fs::path(parts.config.volume_dir) / "tmp"),
      config_file_(fs::path(parts.config.guest_dir) / "my.cnf"),
      log_file_(fs::path(parts.config.guest_dir) / "mariadbd.log") {}

std::string MariadbDatastore::ConfigOf(const agent::PrepareSpec& spec) const {
  return ServerConfigText({.data_dir = data_dir_,
                           .socket = parts_.config.DatabaseSocket(),
                           .pid_file = fs::path(parts_.config.guest_dir) / "mariadbd.pid",
                           .tmp_dir = tmp_dir_,
                           .address = spec.address,
                           .port = spec.port,
                           .tls_certificate = parts_.files.endpoint_certificate,
                           .tls_key = parts_.files.endpoint_key,
                           .tls_authority = parts_.files.endpoint_authority,
                           .memory_mib = spec.memory_mib,
                           .vcpus = spec.vcpus,
                           .server_id = ServerIdOf(parts_.config.guest_id)});
}

// A server that an earlier prepare has left behind may have been started for something else.
absl::Status MariadbDatastore::StopUnlessConfigured(const Call& call,
                                                    const std::string& config) const {
  const absl::StatusOr<std::string> before = ReadFile(config_file_);
  if (before.ok() && *before == config) return absl::OkStatus();
  return parts_.server.Stop(call, SIGTERM, kStopGrace);
}

absl::Status MariadbDatastore::StartServer(const Call& call) const {
  keeper::Command command;
  command.argv = {server_program_, "--defaults-file=" + config_file_.string()};
  command.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC"};
  command.cwd = data_dir_;
  command.output = log_file_;
  return parts_.server.Start(call, command, SIGTERM);
}

std::string MariadbDatastore::LastLogLines() const {
  const absl::StatusOr<std::string> log = ReadFile(log_file_);
  if (!log.ok()) return "";
  constexpr std::size_t kMost = 500;
  return log->size() <= kMost ? *log : "…" + log->substr(log->size() - kMost);
}

absl::StatusOr<std::unique_ptr<Connection>> MariadbDatastore::ConnectWhenReady(
    const Call& call, const std::string& user, const Secret& password) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus before, parts_.server.Status(call));
  while (true) {
    absl::StatusOr<std::unique_ptr<Connection>> connection =
        Connection::Open(call, parts_.config.DatabaseSocket(), user, password);
    if (connection.ok() || !absl::IsUnavailable(connection.status())) return connection;
    // A server that ends again and again will not come up by waiting.
    TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus now, parts_.server.Status(call));
    if (now.restarts >= before.restarts + 3) {
      return absl::FailedPreconditionError("mariadbd ends as soon as it starts: " + LastLogLines());
    }
    if (const absl::Status late = call.Check(); !late.ok()) {
      return Annotate(late, "wait for mariadbd to answer: " + MessageOf(connection.status()));
    }
    ::poll(nullptr, 0, kPollMs);
  }
}

absl::Status MariadbDatastore::Prepare(const Call& call,
                                       const agent::PrepareSpec& spec,
                                       const agent::Progress& say) {
  if (!IsInitialized(data_dir_)) {
    say("making the data directory");
    TROVE_RETURN_IF_ERROR(InitializeData(call, data_dir_));
  }
  const std::string config = ConfigOf(spec);
  TROVE_RETURN_IF_ERROR(StopUnlessConfigured(call, config));
  TROVE_RETURN_IF_ERROR(MakeDirectory(tmp_dir_, 0700));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(config_file_, config, 0600));
  say("starting the server");
  TROVE_RETURN_IF_ERROR(StartServer(call));
  // What a provisioner copied is not on the disk yet. The server's start takes as long as this.
  std::future<absl::Status> durable =
      std::async(std::launch::async, [this] { return SyncFileSystem(data_dir_); });
  // A prepare that was cut off may have secured the accounts already.
  absl::StatusOr<std::unique_ptr<Connection>> connection =
      ConnectWhenReady(call, kAdminUser, parts_.server_password);
  if (absl::IsPermissionDenied(connection.status())) {
    connection = ConnectWhenReady(call, "root", Secret());
  }
  TROVE_RETURN_IF_ERROR(connection.status());
  say("securing accounts");
  TROVE_RETURN_IF_ERROR(SecureAccounts(**connection, parts_.server_password));
  if (!spec.databases.empty() || !spec.users.empty()) say("creating databases and users");
  TROVE_RETURN_IF_ERROR(CreateContent(**connection, spec.databases, spec.users));
  return durable.get();
}

absl::Status MariadbDatastore::Start(const Call& call, const agent::Progress& say) {
  say("starting the server");
  TROVE_RETURN_IF_ERROR(StartServer(call));
  return ConnectWhenReady(call, kAdminUser, parts_.server_password).status();
}

absl::Status MariadbDatastore::Stop(const Call& call, const agent::Progress& say) {
  say("stopping the server");
  {
    const MutexLock lock(mutex_);
    health_.reset();
  }
  answered_run_ = 0;
  // What follows, as in a restart, needs its time too when the server does not hear.
  return parts_.server.Stop(call, SIGTERM, std::min(kStopGrace, call.Remaining() / 2));
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
  } else {
    const bool answered = answered_run_ != 0 && (!process.ok() || process->starts == answered_run_);
    health.state = answered ? agent::ServerState::kBlocked : agent::ServerState::kStarting;
  }
  return health;
}

}  // namespace trove::mariadb
