#include "agents/mariadb/server_control.h"

#include <signal.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <string_view>
#include <utility>

#include "agents/mariadb/accounts.h"
#include "agents/mariadb/engine.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::mariadb {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kPrivateGrace = absl::Seconds(2);
// To put back what was there, whatever became of the call.
constexpr absl::Duration kBackLimit = absl::Seconds(60);
constexpr int kMostEnds = 3;
constexpr std::string_view kDefaultsFile = "--defaults-file=";

// The file that a running server was started from.
fs::path DefaultsFileOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  for (std::string argument; std::getline(file, argument, '\0');) {
    if (argument.starts_with(kDefaultsFile)) return argument.substr(kDefaultsFile.size());
  }
  return {};
}

std::optional<ServerConfig> ReadConfig(const fs::path& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return std::nullopt;
  return ParseServerConfig(*text);
}

absl::Status WriteConfig(const fs::path& file, const ServerConfig& config) {
  return WriteFileAtomically(file, ServerConfigText(config), 0600);
}

// Small letters without what stands between words, which the server spells now so, now so.
std::string Bare(std::string_view text) {
  std::string bare;
  for (const char c : text) {
    if (c != '_' && c != '-' && c != ' ')
      bare += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return bare;
}

// The parameter that a line of the server's log speaks of, of those that are not as before.
std::string ChangedNameIn(std::string_view line,
                          const ServerConfig& before,
                          const ServerConfig& now) {
  const std::string bare_line = Bare(line);
  std::string found;
  for (const auto& [name, value] : now.variables) {
    const auto old = before.variables.find(name);
    if (old != before.variables.end() && old->second == value) continue;
    // InnoDB leaves its own name away.
    const std::string own = name.starts_with("innodb_") ? name.substr(7) : name;
    const bool is_said = bare_line.find(Bare(name)) != std::string::npos ||
                         (own.size() > 8 && bare_line.find(Bare(own)) != std::string::npos);
    if (is_said && name.size() > found.size()) found = name;
  }
  return found;
}

}  // namespace

ServerControl::ServerControl(const agent::DatastoreParts& parts)
    : parts_(parts),
      guest_dir_(parts.config.guest_dir),
      data_dir_(fs::path(parts.config.volume_dir) / "data"),
      tmp_dir_(fs::path(parts.config.volume_dir) / "tmp"),
      good_file_(guest_dir_ / "my.cnf"),
      trial_file_(guest_dir_ / "my.trial.cnf"),
      private_file_(guest_dir_ / "my.private.cnf"),
      statements_file_(guest_dir_ / "private.sql"),
      log_file_(guest_dir_ / "mariadbd.log") {}

absl::StatusOr<ServerConfig> ServerControl::ConfigOf(const agent::ServerSettings& settings) const {
  return MakeServerConfig({.data_dir = data_dir_,
                           .socket = parts_.config.DatabaseSocket(),
                           .pid_file = guest_dir_ / "mariadbd.pid",
                           .tmp_dir = tmp_dir_,
                           .tls_certificate = parts_.files.endpoint_certificate,
                           .tls_key = parts_.files.endpoint_key,
                           .tls_authority = parts_.files.endpoint_authority,
                           .server_id = ServerIdOf(parts_.config.guest_id)},
                          settings);
}

std::optional<ServerConfig> ServerControl::LastGood() const {
  return ReadConfig(good_file_);
}

absl::StatusOr<std::optional<ServerConfig>> ServerControl::Running(const Call& call) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus process, parts_.server.Status(call));
  if (!process.running) return std::nullopt;
  return ReadConfig(DefaultsFileOf(process.pid));
}

absl::Status ServerControl::Note(const Call& call, const ServerConfig& config) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus process, parts_.server.Status(call));
  // First the file that the keeper starts it from again.
  if (process.running && DefaultsFileOf(process.pid) == trial_file_)
    TROVE_RETURN_IF_ERROR(WriteConfig(trial_file_, config));
  return WriteConfig(good_file_, config);
}

absl::Status ServerControl::Launch(const Call& call,
                                   const ServerConfig& config,
                                   const fs::path& file) {
  TROVE_ASSIGN_OR_RETURN(const fs::path program, FindEngineProgram(config.engine, "mariadbd"));
  TROVE_RETURN_IF_ERROR(MakeDirectory(tmp_dir_, 0700));
  std::error_code error;
  const std::uintmax_t size = fs::file_size(log_file_, error);
  log_begin_ = error ? 0 : size;
  keeper::Command command;
  command.argv = {program, std::string(kDefaultsFile) + file.string()};
  command.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC"};
  command.cwd = data_dir_;
  command.output = log_file_;
  return parts_.server.Start(call, command, SIGTERM);
}

absl::StatusOr<std::unique_ptr<Connection>> ServerControl::ConnectAs(const Call& call,
                                                                     const std::string& user,
                                                                     const Secret& password,
                                                                     int most_ends) const {
  std::unique_ptr<Connection> connection;
  const absl::Status answer = parts_.server.AwaitAnswer(
      call,
      [&]() -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(
            connection, Connection::Open(call, parts_.config.DatabaseSocket(), user, password));
        return absl::OkStatus();
      },
      most_ends);
  if (answer.ok()) return connection;
  if (!absl::IsFailedPrecondition(answer)) return answer;
  return absl::FailedPreconditionError(MessageOf(answer) + ": " + LastError());
}

absl::StatusOr<std::unique_ptr<Connection>> ServerControl::Connect(const Call& call,
                                                                   int most_ends) const {
  return ConnectAs(call, kAdminUser, parts_.server_password, most_ends);
}

absl::StatusOr<std::unique_ptr<Connection>> ServerControl::ConnectAsRoot(const Call& call) const {
  return ConnectAs(call, "root", Secret(), kMostEnds);
}

absl::Status ServerControl::Start(const Call& call, const ServerConfig& config) {
  const absl::StatusOr<std::optional<ServerConfig>> running = Running(call);
  TROVE_RETURN_IF_ERROR(running.status());
  if (*running != config) TROVE_RETURN_IF_ERROR(Stop(call));
  TROVE_RETURN_IF_ERROR(Note(call, config));
  return Launch(call, config, good_file_);
}

absl::Status ServerControl::StartLastGood(const Call& call) {
  const std::optional<ServerConfig> good = LastGood();
  if (!good) return absl::FailedPreconditionError("the server has never been started");
  return Launch(call, *good, good_file_);
}

absl::Status ServerControl::Try(const Call& call, const ServerConfig& config, Fallback fallback) {
  const std::optional<ServerConfig> good = LastGood();
  TROVE_RETURN_IF_ERROR(FindEngineProgram(config.engine, "mariadbd").status());
  absl::Status up = Stop(call);
  if (up.ok()) up = WriteConfig(trial_file_, config);
  if (up.ok()) up = call.Check();
  if (up.ok()) up = Launch(call, config, trial_file_);
  if (up.ok()) up = Connect(call, 1).status();
  if (up.ok()) return WriteConfig(good_file_, config);

  if (absl::IsFailedPrecondition(up)) {  // it ended
    const std::string name = ChangedNameIn(MessageOf(up), good.value_or(ServerConfig()), config);
    up = absl::InvalidArgumentError((name.empty() ? "" : "parameter " + name + ": ") +
                                    MessageOf(up));
  }
  const Call back = CallFor(kBackLimit);
  // Before anything else: else the keeper starts it again and again.
  absl::Status restored = Stop(back);
  if (fallback == Fallback::kNone || !good || good->engine != config.engine) return up;
  if (restored.ok()) restored = StartLastGood(back);
  // One that was cancelled is not waited for.
  if (restored.ok() && call.Check().ok()) restored = Connect(back, kMostEnds).status();
  if (restored.ok()) return up;
  return absl::InternalError(
      MessageOf(up) + "; and the former configuration does not help: " + MessageOf(restored));
}

absl::Status ServerControl::StartAlone(const Call& call, ServerConfig config) {
  TROVE_RETURN_IF_ERROR(Stop(call));
  config.variables["skip_networking"] = "ON";
  absl::Status up = WriteConfig(private_file_, config);
  if (up.ok()) up = Launch(call, config, private_file_);
  if (up.ok()) up = Connect(call, 1).status();
  if (up.ok()) return up;
  if (absl::IsFailedPrecondition(up)) up = absl::InvalidArgumentError(MessageOf(up));
  Stop(CallFor(kBackLimit)).IgnoreError();  // what is said is why it did not start
  return up;
}

absl::Status ServerControl::StartPrivately(const Call& call,
                                           ServerConfig config,
                                           const std::string& statements) {
  TROVE_RETURN_IF_ERROR(Stop(call));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(statements_file_, statements, 0600));
  // The statements are done before anybody is let in.
  config.variables["init_file"] = statements_file_;
  config.variables["skip_networking"] = "ON";
  TROVE_RETURN_IF_ERROR(WriteConfig(private_file_, config));
  return Launch(call, config, private_file_);
}

absl::Status ServerControl::Stop(const Call& call, absl::Duration patience) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus process, parts_.server.Status(call));
  // One that is told to end while it runs its first statements hangs for ever now and then.
  std::error_code error;
  const bool is_private = process.running && DefaultsFileOf(process.pid) == private_file_ &&
                          fs::exists(statements_file_, error);
  // What follows, as in a restart, needs its time too when the server does not hear.
  TROVE_RETURN_IF_ERROR(parts_.server.Stop(
      call, SIGTERM, std::min(is_private ? kPrivateGrace : patience, call.Remaining() / 2)));
  TROVE_RETURN_IF_ERROR(RemoveTree(statements_file_));
  return RemoveTree(private_file_);
}

absl::StatusOr<bool> ServerControl::EndedInOrder(const Call& call) const {
  TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus process, parts_.server.Status(call));
  return !process.running && process.last_exit.kind == keeper::ExitStatus::Kind::kExited &&
         process.last_exit.value == 0;
}

// What the server said of why it ended: of its errors the first, as the others follow from it.
std::string ServerControl::LastError() const {
  constexpr std::string_view kError = "[ERROR] ";
  constexpr std::uint64_t kMost = 64 * 1024;
  std::ifstream log(log_file_, std::ios::binary);
  log.seekg(0, std::ios::end);
  const auto size = static_cast<std::uint64_t>(std::max<std::streamoff>(log.tellg(), 0));
  // It may have been cut meanwhile.
  const std::uint64_t begin = log_begin_ <= size ? log_begin_ : 0;
  log.seekg(static_cast<std::streamoff>(size - begin > kMost ? size - kMost : begin));
  std::string last = "it says nothing";
  for (std::string line; std::getline(log, line);) {
    if (const std::size_t at = line.find(kError); at != std::string::npos)
      return line.substr(at + kError.size());
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace trove::mariadb
