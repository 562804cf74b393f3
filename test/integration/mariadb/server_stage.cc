#include "test/integration/mariadb/server_stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include <mysql.h>

#include "libtrove/base/files.h"
#include "libtrove/base/handle.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/base/unique_fd.h"
#include "libtrove/base/uuid.h"
#include "libtrove/identity/certificate_authority.h"
#include "libtrove/identity/mesh_identity.h"

namespace trove::mariadb {
namespace {

namespace fs = std::filesystem;
using Mysql = Handle<MYSQL, mysql_close>;

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "no test can go on: %s\n", result.status().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "no test can go on: %s\n", status.ToString().c_str());
  std::abort();
}

// One that was free a moment ago.
int FreePort() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::abort();
  }
  return ntohs(address.sin_port);
}

std::string Run(MYSQL* connected, const std::string& sql) {
  if (mysql_query(connected, sql.c_str()) != 0)
    return std::string("error: ") + mysql_error(connected);
  const Handle<MYSQL_RES, mysql_free_result> result(mysql_store_result(connected));
  if (result == nullptr) return "";
  const MYSQL_ROW row = mysql_fetch_row(result.get());
  return row == nullptr || row[0] == nullptr ? "" : row[0];
}

Mysql NewMysql() {
  Mysql mysql(mysql_init(nullptr));
  const unsigned seconds = 5;
  mysql_options(mysql.get(), MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
  mysql_options(mysql.get(), MYSQL_OPT_READ_TIMEOUT, &seconds);
  return mysql;
}

}  // namespace

Call Soon() {
  return CallFor(absl::Seconds(60));
}

bool IsError(const std::string& answer) {
  return answer.starts_with("error:");
}

ServerStage::ServerStage() : password_("p" + RandomAlphanumeric(24)) {
  config_.guest_id = NewUuid();
  config_.mesh_id = "deadbeef";
  config_.guest_dir = folder_ / "guest";
  config_.volume_dir = folder_ / "volume";
  config_.socket_dir = folder_ / "s";
  for (const std::string& made : {config_.guest_dir, config_.volume_dir, config_.socket_dir})
    Must(MakeDirectory(made, 0700));
  settings_ = {.memory_mib = 512,
               .vcpus = 1,
               .address = "127.0.0.1",
               .port = FreePort(),
               .engine = MakeEngine("old"),
               .version_number = "10.11",
               .volume_size_gib = 1};
  StartKeeper();
  Open();
}

ServerStage::~ServerStage() {
  datastore_.reset();
  StopKeeper();
}

std::string ServerStage::MakeEngine(const std::string& name, const std::string& script) const {
  const fs::path engine = folder_ / name;
  Must(MakeDirectory(engine, 0755));
  Must(MakeDirectory(engine / "bin", 0755));
  for (const char* program :
       {"mariadb", "mariadb-check", "mariadb-install-db", "mariadb-upgrade"}) {
    std::error_code error;
    fs::create_symlink(Must(FindProgram(program)), engine / "bin" / program, error);
  }
  // The server does not run as root unless it is told, and then no configuration of ours says so.
  const std::string user = ::geteuid() == 0 ? " --user=root" : "";
  Must(WriteFileAtomically(engine / "bin" / "mariadbd",
                           "#!/bin/sh\n" + script + "\nexec " +
                               Must(FindProgram("mariadbd")).string() + " \"$@\"" + user + "\n",
                           0755));
  return engine;
}

void ServerStage::StartKeeper() {
  keeper::Spec spec;
  spec.guest_id = config_.guest_id;
  spec.mesh_id = config_.mesh_id;
  spec.generation = 1;
  spec.guest_dir = config_.guest_dir;
  spec.socket = config_.KeeperSocket();
  spec.log = guest_dir() / "keeper.log";
  spec.agent.argv = {"/bin/sh", "-c", "while :; do sleep 60; done"};
  spec.agent.environment = {"PATH=/usr/bin:/bin"};
  spec.backoff_initial = std::chrono::milliseconds(50);
  const fs::path file = folder_ / "keeper.spec";
  Must(WriteFileAtomically(file, keeper::EncodeSpec(spec), 0600));
  Must(keeper::StartKeeper(Soon(), TROVE_KEEPER_BINARY, file));
  keeper_.emplace(config_.KeeperSocket(), config_.guest_id);
  server_.emplace(*keeper_);
}

void ServerStage::StopKeeper() {
  keeper::StopAllRequest request;
  request.generation = 1;
  const absl::Status stopped = keeper_->StopAll(Soon(), request).status();
  if (!stopped.ok()) std::fprintf(stderr, "stop the keeper: %s\n", stopped.ToString().c_str());
}

void ServerStage::Open() {
  files_.emplace(guest_dir());
  Must(MakePrivateDirectory(files_->folder));
  if (!fs::exists(files_->endpoint_key)) {
    const auto authority =
        Must(identity::CertificateAuthority::Create("test databases", absl::Now()));
    const auto issued = Must(identity::IssueIdentity(authority,
                                                     {.common_name = "test database",
                                                      .dns_names = {"localhost"},
                                                      .ip_addresses = {"127.0.0.1"},
                                                      .uris = {},
                                                      .server_auth = true,
                                                      .client_auth = false,
                                                      .validity = absl::Hours(1)},
                                                     absl::Now()));
    Must(WriteFileAtomically(files_->endpoint_key, issued.key_pem.Reveal(), 0600));
    Must(WriteFileAtomically(files_->endpoint_certificate, issued.certificate_pem, 0600));
    Must(WriteFileAtomically(files_->endpoint_authority, issued.authority_pem, 0600));
  }
  state_ = Must(agent::GuestState::Open(guest_dir()));
  datastore_ =
      Must(MariadbDatastore::Make({config_, *files_, *state_, *server_, password_, Log()}));
}

void ServerStage::Reopen() {
  datastore_.reset();
  Open();
}

void ServerStage::Rebirth() {
  datastore_.reset();
  StopKeeper();
  Must(RemoveTree(config_.guest_dir));
  Must(MakeDirectory(config_.guest_dir, 0700));
  password_ = Secret("q" + RandomAlphanumeric(24));
  StartKeeper();
  Open();
}

void ServerStage::Prepare() {
  agent::PrepareSpec spec;
  spec.databases = {{"shop", "", ""}};
  spec.users.push_back({"ann", "%", Secret("sesame"), {"shop"}});
  spec.settings = settings_;
  Must(datastore_->Prepare(Soon(), spec, [](std::string_view) {}));
  Remember(settings_);
}

void ServerStage::Remember(const agent::ServerSettings& settings) {
  Must(state_->SetSettings(settings));
  Must(state_->SetWanted(true));
  Must(state_->SetPrepared());
}

absl::StatusOr<bool> ServerStage::Configure(const agent::ServerSettings& settings,
                                            agent::Restarting restarting) {
  const absl::StatusOr<bool> done =
      datastore_->Configure(Soon(), settings, restarting, [](std::string_view) {});
  if (done.ok()) Remember(settings);
  return done;
}

absl::Status ServerStage::Upgrade(const agent::ServerSettings& settings,
                                  const agent::Progress& say) {
  return datastore_->Upgrade(
      Soon(),
      settings,
      [&] {
        Remember(settings);
        return absl::OkStatus();
      },
      say);
}

absl::Status ServerStage::Start() {
  return datastore_->Start(Soon(), state_->settings(), [](std::string_view) {});
}

bool ServerStage::KilledIn(absl::Duration life, const std::function<void()>& what) const {
  const pid_t child = ::fork();
  if (child == 0) {
    what();
    ::_exit(0);
  }
  const absl::Time end = absl::Now() + life;
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (absl::Now() >= end) ::kill(child, SIGKILL);
    ::poll(nullptr, 0, 1);
  }
  return WIFSIGNALED(status);
}

agent::Progress ServerStage::DieAt(std::string word) const {
  return [word = std::move(word)](std::string_view said) {
    if (said == word) ::raise(SIGKILL);
  };
}

std::string ServerStage::AskAs(const std::string& user,
                               const std::string& password,
                               const std::string& sql) const {
  const Mysql mysql = NewMysql();
  const std::string socket = config_.DatabaseSocket();
  if (mysql_real_connect(
          mysql.get(), nullptr, user.c_str(), password.c_str(), nullptr, 0, socket.c_str(), 0) ==
      nullptr) {
    return std::string("error: ") + mysql_error(mysql.get());
  }
  return Run(mysql.get(), sql);
}

std::string ServerStage::Ask(const std::string& sql) const {
  return AskAs("os_admin", password_.Reveal(), sql);
}

std::string ServerStage::Global(const std::string& variable) const {
  return Ask("SELECT @@GLOBAL." + variable);
}

std::map<std::string, Variable> ServerStage::Describe(const std::set<std::string>& names) const {
  const auto connection =
      Must(Connection::Open(Soon(), config_.DatabaseSocket(), "os_admin", password_));
  return Must(DescribeVariables(*connection, names));
}

std::string ServerStage::AskAsAnn(const std::string& sql, const std::string& password) const {
  const Mysql mysql = NewMysql();
  if (mysql_real_connect(mysql.get(),
                         settings_.address.c_str(),
                         "ann",
                         password.c_str(),
                         "shop",
                         static_cast<unsigned>(settings_.port),
                         nullptr,
                         0) == nullptr) {
    return std::string("error: ") + mysql_error(mysql.get());
  }
  return Run(mysql.get(), sql);
}

void ServerStage::StopServer(int signal) const {
  Must(server_->Stop(Soon(), signal, absl::Seconds(10)));
}

keeper::ProcessStatus ServerStage::Process() const {
  return Must(server_->Status(Soon()));
}

std::string ServerStage::Logs() const {
  std::string logs;
  for (const char* name : {"keeper.log", "mariadbd.log"}) {
    const std::string text = ReadFile(guest_dir() / name).value_or("(none)");
    logs += std::string("\n== ") + name + "\n" +
            text.substr(text.size() - std::min<std::size_t>(text.size(), 4000));
  }
  return logs;
}

}  // namespace trove::mariadb
