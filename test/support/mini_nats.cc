#include "test/support/mini_nats.h"

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <utility>

#include <absl/time/clock.h>
#include <stdlib.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/identity/mesh_identity.h"
#include "libtrove/identity/nats_config.h"
#include "test/support/eventually.h"

namespace trove {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(30);
constexpr int kStartAttempts = 3;  // another process may hold the port for a moment

absl::StatusOr<std::filesystem::path> MakeFolder() {
  std::string folder = "/tmp/trove-nats-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return ErrnoStatus(errno, "make " + folder);
  return std::filesystem::path(folder);
}

// The port in the server's ports file: {"nats":["tls://127.0.0.1:41234"],…}; 0 while there is none.
int PortIn(const std::filesystem::path& file) {
  const auto text = ReadFile(file);
  if (!text.ok()) return 0;
  static constexpr std::string_view kBefore = "127.0.0.1:";
  const std::size_t at = text->find(kBefore);
  return at == std::string::npos ? 0 : std::atoi(text->c_str() + at + kBefore.size());
}

}  // namespace

MiniNats::MiniNats(std::filesystem::path folder,
                   std::string mesh_id,
                   identity::CertificateAuthority mesh_authority,
                   identity::NatsAuthority authority,
                   identity::NatsUserIssuer issuer)
    : folder_(std::move(folder)),
      mesh_id_(std::move(mesh_id)),
      mesh_authority_(std::move(mesh_authority)),
      authority_(std::move(authority)),
      issuer_(std::move(issuer)),
      made_at_(absl::Now() - absl::Hours(1)) {}

absl::StatusOr<std::unique_ptr<MiniNats>> MiniNats::Start(const Options& options) {
  std::optional<identity::CertificateAuthority> mesh_authority = options.mesh_authority;
  if (!mesh_authority) {
    TROVE_ASSIGN_OR_RETURN(mesh_authority,
                           identity::CertificateAuthority::Create("Trove test mesh", absl::Now()));
  }
  TROVE_ASSIGN_OR_RETURN(identity::NatsAuthority authority, identity::NatsAuthority::Generate());
  TROVE_ASSIGN_OR_RETURN(identity::NatsUserIssuer issuer, authority.UserIssuer());
  TROVE_ASSIGN_OR_RETURN(std::filesystem::path folder, MakeFolder());
  std::unique_ptr<MiniNats> server(new MiniNats(std::move(folder),
                                                options.mesh_id,
                                                *std::move(mesh_authority),
                                                std::move(authority),
                                                std::move(issuer)));
  TROVE_RETURN_IF_ERROR(server->WriteFiles());
  TROVE_RETURN_IF_ERROR(server->Run());
  return server;
}

MiniNats::~MiniNats() {
  Kill();
  RemoveTree(folder_).IgnoreError();  // a leftover below /tmp fails no test
}

std::string MiniNats::url() const {
  return "tls://127.0.0.1:" + std::to_string(port_);
}

std::string MiniNats::tls_name() const {
  return identity::ServiceDnsName("nats");
}

absl::StatusOr<identity::NatsCredentials> MiniNats::GuestCredentials(const GuestId& guest) const {
  TROVE_ASSIGN_OR_RETURN(const identity::NKey user,
                         identity::NKey::Generate(identity::NKeyKind::kUser));
  identity::NatsCredentials credentials;
  TROVE_ASSIGN_OR_RETURN(credentials.jwt, issuer_.GuestJwt(guest, user.public_key(), absl::Now()));
  credentials.seed = user.seed();
  return credentials;
}

absl::StatusOr<identity::NatsCredentials> MiniNats::ServiceCredentials(
    std::string_view service) const {
  return issuer_.ServiceCredentials(service, absl::Now());
}

absl::Status MiniNats::WriteFiles() {
  TROVE_ASSIGN_OR_RETURN(const identity::CertificateProfile profile,
                         identity::NatsServerProfile(mesh_id_));
  TROVE_ASSIGN_OR_RETURN(const identity::IssuedIdentity issued,
                         identity::IssueIdentity(mesh_authority_, profile, absl::Now()));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(folder_ / "nats.key", issued.key_pem.Reveal(), 0600));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(folder_ / "nats.crt", issued.certificate_pem, 0600));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(folder_ / "mesh-ca.pem", issued.authority_pem, 0600));
  for (const char* name : {"accounts", "jetstream", "ports"})
    TROVE_RETURN_IF_ERROR(MakeDirectory(folder_ / name, 0700));
  return absl::OkStatus();
}

absl::Status MiniNats::Run() {
  TROVE_ASSIGN_OR_RETURN(const std::filesystem::path program, FindProgram("nats-server"));
  identity::NatsServerConfig config;
  config.server_name = "mini-" + mesh_id_;
  config.port = port_;
  TROVE_ASSIGN_OR_RETURN(config.operator_jwt, authority_.OperatorJwt(absl::Now()));
  config.system_account = authority_.system_key.public_key();
  TROVE_ASSIGN_OR_RETURN(config.accounts, authority_.AccountJwts(made_at_));
  config.accounts_directory = folder_ / "accounts";
  config.jetstream_directory = folder_ / "jetstream";
  config.certificate_file = folder_ / "nats.crt";
  config.key_file = folder_ / "nats.key";
  config.authority_file = folder_ / "mesh-ca.pem";
  config.ports_directory = folder_ / "ports";
  const std::filesystem::path config_file = folder_ / "nats.conf";
  TROVE_RETURN_IF_ERROR(
      WriteFileAtomically(config_file, identity::NatsServerConfigText(config), 0600));

  ProgramSpec spec;
  spec.argv = {program, "-c", config_file};
  spec.output = folder_ / "nats.log";
  const absl::Time deadline = absl::Now() + kStartTimeout;
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    TROVE_ASSIGN_OR_RETURN(pid_, Spawn(spec));
    const std::filesystem::path ports =
        folder_ / "ports" / ("nats-server_" + std::to_string(pid_) + ".ports");
    int port = 0;
    // The server writes the file once it takes connections.
    Eventually(deadline - absl::Now(), [&] {
      port = PortIn(ports);
      if (port == 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
      return port != 0 || pid_ < 0;
    });
    if (port != 0) {
      port_ = port;
      return absl::OkStatus();
    }
    Kill();
  }
  const auto log = ReadFile(folder_ / "nats.log");
  return absl::DeadlineExceededError("nats-server did not come up: " +
                                     (log.ok() ? *log : MessageOf(log.status())));
}

void MiniNats::End(int signal) {
  if (pid_ < 0) return;
  ::kill(pid_, signal);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void MiniNats::Kill() {
  End(SIGKILL);
}

void MiniNats::Freeze() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGSTOP);
  // Its other threads may answer for a moment; this returns when all of them have stopped.
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT);
}

void MiniNats::Thaw() {
  if (pid_ > 0) ::kill(pid_, SIGCONT);
}

void MiniNats::Stop() {
  End(SIGTERM);
}

absl::Status MiniNats::Restart() {
  Stop();
  return Run();
}

}  // namespace trove
