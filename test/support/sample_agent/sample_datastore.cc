#include "test/support/sample_agent/sample_datastore.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove::sample {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStopGrace = absl::Seconds(10);
constexpr absl::Duration kBackLimit = absl::Seconds(10);
constexpr char kProgram[] = "trove-agent-sample-server";

// What the server takes over while it runs.
bool IsDynamic(const std::string& key) {
  return key == "dynamic" || key == "memory";
}

std::string TextOf(const std::map<std::string, std::string>& config) {
  std::string text;
  for (const auto& [key, value] : config)
    text += key + "=" + value + "\n";
  return text;
}

absl::StatusOr<UniqueFd> Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return absl::InvalidArgumentError("too long for a socket: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return ErrnoStatus(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return absl::UnavailableError("the server does not listen");
  return socket;
}

}  // namespace

absl::StatusOr<std::unique_ptr<agent::Datastore>> SampleDatastore::Make(
    const agent::DatastoreParts& parts) {
  TROVE_ASSIGN_OR_RETURN(fs::path programs, ExecutableDirectory());
  return std::unique_ptr<agent::Datastore>(new SampleDatastore(parts, std::move(programs)));
}

SampleDatastore::SampleDatastore(const agent::DatastoreParts& parts, fs::path programs)
    : parts_(parts),
      programs_(std::move(programs)),
      data_dir_(fs::path(parts.config.volume_dir) / "data"),
      config_file_(fs::path(parts.config.guest_dir) / "sample.conf"),
      log_file_(fs::path(parts.config.guest_dir) / "sample.log") {}

absl::Status SampleDatastore::Validate(const agent::ServerSettings& settings) const {
  for (const auto& [name, json] : settings.parameters) {
    const absl::StatusOr<std::string> text = agent::ParameterText(json);
    TROVE_RETURN_IF_ERROR(Annotate(text.status(), "parameter " + name));
    if (text->find('\n') != std::string::npos)
      return absl::InvalidArgumentError("parameter " + name + " must be one line");
    for (const char* own :
         {"data", "address", "port", "socket", "version", "owner", "memory", "vcpus", "engine"}) {
      if (name == own) return absl::InvalidArgumentError("parameter " + name + " is not yours");
    }
  }
  return absl::OkStatus();
}

SampleDatastore::Config SampleDatastore::ConfigOf(const agent::ServerSettings& settings) const {
  Config config = {{"data", data_dir_},
                   {"socket", parts_.config.DatabaseSocket()},
                   {"owner", parts_.server_password.Reveal()},
                   {"address", settings.address},
                   {"port", std::to_string(settings.port)},
                   {"engine", settings.engine},
                   {"version", settings.version_number},
                   {"memory", std::to_string(settings.memory_mib)},
                   {"vcpus", std::to_string(settings.vcpus)}};
  for (const auto& [name, json] : settings.parameters)
    config[name] = agent::ParameterText(json).value_or("");
  return config;
}

absl::StatusOr<SampleDatastore::Config> SampleDatastore::Configured() const {
  const absl::StatusOr<std::string> text = ReadFile(config_file_);
  TROVE_RETURN_IF_ERROR(text.status());
  Config config;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);)
    config[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
  return config;
}

absl::Status SampleDatastore::Write(const Config& config) const {
  return WriteFileAtomically(config_file_, TextOf(config), 0600);
}

fs::path SampleDatastore::ProgramOf(const Config& config) const {
  const std::string& engine = config.at("engine");
  return engine.empty() ? programs_ / kProgram : fs::path(engine) / "bin" / kProgram;
}

absl::StatusOr<std::string> SampleDatastore::Ask(const Call& call, const std::string& line) const {
  TROVE_ASSIGN_OR_RETURN(const UniqueFd socket, Connect(parts_.config.DatabaseSocket()));
  const std::string question = line + "\n";
  if (::send(socket.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0)
    return absl::UnavailableError("the server is gone");
  std::string answer;
  while (answer.empty() || answer.back() != '\n') {
    TROVE_RETURN_IF_ERROR(call.Check());
    pollfd waiting = {socket.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    char bytes[4096];
    const ssize_t got = ::recv(socket.get(), bytes, sizeof(bytes), 0);
    if (got <= 0) return absl::UnavailableError("the server is gone");
    answer.append(bytes, static_cast<std::size_t>(got));
  }
  answer.pop_back();
  if (answer.starts_with("error:")) return absl::InternalError(answer);
  return answer;
}

std::string SampleDatastore::LastError() const {
  const std::string log = ReadFile(log_file_).value_or("");
  const std::size_t last = log.rfind("[ERROR]");
  if (last == std::string::npos) return "it gives no reason";
  return log.substr(last + 8, log.find('\n', last) - last - 8);
}

// Starts the server as the file says, and waits until it answers.
absl::Status SampleDatastore::Run(const Call& call, const Config& config, int most_ends) const {
  keeper::Command command;
  command.argv = {ProgramOf(config), config_file_};
  command.cwd = data_dir_;
  command.output = log_file_;
  TROVE_RETURN_IF_ERROR(parts_.server.Start(call, command, SIGTERM));
  const absl::Status up = parts_.server.AwaitAnswer(
      call, [&] { return Ask(call, "status").status(); }, most_ends);
  if (!absl::IsFailedPrecondition(up)) return up;
  return absl::FailedPreconditionError(MessageOf(up) + ": " + LastError());
}

// Restarts the server with another configuration, or puts the one before back.
absl::Status SampleDatastore::Replace(const Call& call,
                                      const Config& before,
                                      const Config& config) {
  TROVE_RETURN_IF_ERROR(parts_.server.Stop(call, SIGTERM, kStopGrace));
  TROVE_RETURN_IF_ERROR(Write(config));
  const absl::Status up = Run(call, config, 1);
  if (up.ok()) return up;
  // Its own time: the call may have been cancelled.
  const Call back = CallFor(kBackLimit);
  TROVE_RETURN_IF_ERROR(parts_.server.Stop(back, SIGTERM, kStopGrace));
  TROVE_RETURN_IF_ERROR(Write(before));
  TROVE_RETURN_IF_ERROR(Run(back, before, 3));
  return absl::IsFailedPrecondition(up) ? absl::InvalidArgumentError(MessageOf(up)) : up;
}

absl::Status SampleDatastore::Prepare(const Call& call,
                                      const agent::PrepareSpec& spec,
                                      const agent::Progress& say) {
  const Config config = ConfigOf(spec.settings);
  const absl::StatusOr<Config> before = Configured();
  if (!before.ok() || *before != config)
    TROVE_RETURN_IF_ERROR(parts_.server.Stop(call, SIGTERM, kStopGrace));
  TROVE_RETURN_IF_ERROR(MakeDirectory(data_dir_, 0700));
  TROVE_RETURN_IF_ERROR(Write(config));
  say("starting the server");
  TROVE_RETURN_IF_ERROR(Run(call, config, 3));
  say("creating databases and users");
  std::string content;
  for (const agent::DatabaseSpec& database : spec.databases)
    content += "database " + database.name + "\n";
  for (const agent::UserSpec& user : spec.users)
    content += "user " + user.name + "@" + user.host + "\n";
  return WriteFileAtomically(data_dir_ / "content", content, 0600);
}

absl::Status SampleDatastore::Start(const Call& call,
                                    const std::optional<agent::ServerSettings>& settings,
                                    const agent::Progress& say) {
  say("starting the server");
  TROVE_ASSIGN_OR_RETURN(const Config before, Configured());
  const Config config = settings ? ConfigOf(*settings) : before;
  TROVE_ASSIGN_OR_RETURN(const keeper::ProcessStatus process, parts_.server.Status(call));
  if (process.running || config == before) {
    const absl::Status up = Run(call, before, 3);
    // One that an attempt which was cut off has left ending again and again is no use.
    if (config == before || !absl::IsFailedPrecondition(up)) return up;
  }
  // Data that a newer version has touched are not for the older one.
  if (config.at("version") == before.at("version")) return Replace(call, before, config);
  TROVE_RETURN_IF_ERROR(Write(config));
  return Run(call, config, 3);
}

absl::Status SampleDatastore::Stop(const Call& call, const agent::Progress& say) {
  say("stopping the server");
  answered_run_ = 0;
  return parts_.server.Stop(call, SIGTERM, std::min(kStopGrace, call.Remaining() / 2));
}

absl::StatusOr<bool> SampleDatastore::Configure(const Call& call,
                                                const agent::ServerSettings& settings,
                                                agent::Restarting restarting,
                                                const agent::Progress& say) {
  say("configuring the server");
  const Config config = ConfigOf(settings);
  TROVE_ASSIGN_OR_RETURN(const Config before, Configured());
  const absl::StatusOr<std::string> status = Ask(call, "status");
  if (!status.ok()) {  // it is down, or does not answer: nobody is disturbed
    TROVE_RETURN_IF_ERROR(Replace(call, before, config));
    return false;
  }
  // What it runs with, which is not what the file says when a change was cut off.
  Config merged = config;
  const std::string running = " " + *status + " ";
  for (const Config& each : {before, config}) {
    for (const auto& [key, value] : each) {
      if (key == "owner" || IsDynamic(key)) continue;
      if (config.count(key) != 0 &&
          running.find(" " + key + "=" + config.at(key) + " ") != std::string::npos)
        continue;
      const std::size_t at = running.find(" " + key + "=");
      if (at == std::string::npos) {
        merged.erase(key);
      } else {
        const std::size_t from = at + key.size() + 2;
        merged[key] = running.substr(from, running.find(' ', from) - from);
      }
    }
  }
  const bool restart_required = merged != config;
  if (restart_required && restarting == agent::Restarting::kAllowed) {
    say("restarting the server");
    TROVE_RETURN_IF_ERROR(Replace(call, merged, config));
    return false;
  }
  TROVE_RETURN_IF_ERROR(Write(merged));
  TROVE_RETURN_IF_ERROR(Ask(call, "reload").status());
  return restart_required;
}

absl::Status SampleDatastore::Upgrade(const Call& call,
                                      const agent::ServerSettings& settings,
                                      const agent::PointOfNoReturn& committed,
                                      const agent::Progress& say) {
  const Config config = ConfigOf(settings);
  const std::string before = ReadFile(data_dir_ / "version").value_or("");
  if (agent::CompareVersions(settings.version_number, before) < 0) {
    return absl::InvalidArgumentError("version " + settings.version_number +
                                      " is older than the data, which are of " + before);
  }
  if (::access(ProgramOf(config).c_str(), X_OK) != 0)
    return absl::InvalidArgumentError("there is no " + ProgramOf(config).string());
  say("stopping the old version");
  TROVE_RETURN_IF_ERROR(parts_.server.Stop(call, SIGTERM, kStopGrace));
  TROVE_RETURN_IF_ERROR(committed());
  TROVE_RETURN_IF_ERROR(Write(config));
  say("starting the new version");
  if (const absl::Status up = Run(call, config, 1); !up.ok()) {
    TROVE_RETURN_IF_ERROR(parts_.server.Stop(CallFor(kBackLimit), SIGTERM, kStopGrace));
    return absl::IsFailedPrecondition(up) ? absl::InvalidArgumentError(MessageOf(up)) : up;
  }
  say("upgrading the data");
  return Ask(call, "upgrade").status();
}

absl::Status SampleDatastore::Adopt(const Call& call,
                                    const agent::ServerSettings& settings,
                                    const agent::Progress& say) {
  const Config config = ConfigOf(settings);
  say("taking over the data");
  TROVE_RETURN_IF_ERROR(parts_.server.Stop(call, SIGTERM, kStopGrace));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(data_dir_ / "owner", config.at("owner"), 0600));
  TROVE_RETURN_IF_ERROR(Write(config));
  say("starting the server");
  return Run(call, config, 3);
}

agent::ServerHealth SampleDatastore::Check(const Call& call) {
  agent::ServerHealth health;
  const absl::StatusOr<std::string> status = Ask(call, "status");
  const absl::StatusOr<keeper::ProcessStatus> process =
      parts_.server.Status(CallFor(absl::Seconds(1), call.stop));
  if (status.ok()) {
    if (process.ok()) answered_run_ = process->starts;
    health.state = agent::ServerState::kHealthy;
    const std::size_t at = status->find(" version=") + 9;
    health.version = status->substr(at, status->find(' ', at) - at);
    return health;
  }
  health.message = MessageOf(status.status());
  if (process.ok() && !process->running) {
    health.state = parts_.state.wanted() ? agent::ServerState::kCrashed : agent::ServerState::kDown;
    if (health.state == agent::ServerState::kDown) health.message.clear();  // as it should be
  } else {
    const bool answered = answered_run_ != 0 && (!process.ok() || process->starts == answered_run_);
    health.state = answered ? agent::ServerState::kBlocked : agent::ServerState::kStarting;
  }
  return health;
}

}  // namespace trove::sample
