#include "tools/trovectl/launch/readiness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <openssl/ssl.h>

#include "libtrove/base/handle.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/rpc/health.h"
#include "tools/trovectl/launch/ports.h"

namespace trove::trovectl {
namespace {

using SslContext = Handle<SSL_CTX, SSL_CTX_free>;
using Ssl = Handle<SSL, SSL_free>;

// Every read and write on the socket ends by the call's deadline or a little after.
absl::StatusOr<UniqueFd> Connect(const Call& call, const std::string& address, int port) {
  TROVE_RETURN_IF_ERROR(call.Check());
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof(sockaddr_in);
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    size = sizeof(sockaddr_in6);
  } else {
    return absl::InvalidArgumentError(address + " is not an IP address");
  }
  UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoStatus(errno, "make a socket");
  const timeval limit = absl::ToTimeval(call.Remaining() + absl::Milliseconds(1));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    return absl::UnavailableError(
        MessageOf(ErrnoStatus(errno, "connect to " + HostPort(address, port))));
  }
  return fd;
}

absl::Status CheckAnswer(const std::string& answer) {
  const std::string line = answer.substr(0, answer.find('\r'));
  if (line.starts_with("HTTP/1.1 200")) return absl::OkStatus();
  // It lives, and waits for another one.
  if (line.starts_with("HTTP/")) {
    return absl::FailedPreconditionError("GET /healthcheck was answered with: " + line);
  }
  return absl::UnavailableError("GET /healthcheck was answered with: " +
                                (line.empty() ? "nothing" : line));
}

}  // namespace

absl::Status ProbeNats(const Call& call, int port, const std::string& server_name) {
  TROVE_ASSIGN_OR_RETURN(const UniqueFd fd, Connect(call, "127.0.0.1", port));
  std::string greeting;
  char buffer[4096];
  while (greeting.find('\n') == std::string::npos) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    if (got <= 0) return absl::UnavailableError("nats-server does not greet");
    greeting.append(buffer, static_cast<std::size_t>(got));
  }
  if (greeting.starts_with("INFO ") &&
      greeting.find("\"" + server_name + "\"") != std::string::npos)
    return absl::OkStatus();
  return absl::UnavailableError("port " + std::to_string(port) + " is another program's");
}

MeshServiceProbe::MeshServiceProbe(Layout layout,
                                   std::string mesh_id,
                                   std::string service,
                                   int port)
    : layout_(std::move(layout)),
      mesh_id_(std::move(mesh_id)),
      service_(std::move(service)),
      port_(port) {}

absl::Status MeshServiceProbe::Connect(const Call& call) {
  // Quicker than gRPC in finding that nobody listens yet.
  TROVE_RETURN_IF_ERROR(trovectl::Connect(call, "127.0.0.1", port_).status());
  const std::filesystem::path folder = layout_.Service("trovectl");
  TROVE_ASSIGN_OR_RETURN(const auto tls,
                         rpc::TlsSource::Open({.certificate = folder / "mesh.crt",
                                               .key = folder / "mesh.key",
                                               .authority = folder / "mesh-ca.pem"}));
  const identity::PeerIdentity expected{
      .kind = identity::PeerKind::kService, .mesh_id = mesh_id_, .name = service_};
  channel_ = rpc::MeshChannel(HostPort("127.0.0.1", port_), expected, *tls);
  return absl::OkStatus();
}

absl::Status MeshServiceProbe::operator()(const Call& call) {
  if (!channel_) TROVE_RETURN_IF_ERROR(Connect(call));
  absl::Status status = rpc::CheckHealth(channel_, call);
  if (!status.ok()) channel_.reset();
  return status;
}

absl::Status ProbeRest(const Call& call, const std::string& address, int port, bool tls) {
  TROVE_ASSIGN_OR_RETURN(const UniqueFd fd, Connect(call, address, port));
  const std::string request = "GET /healthcheck HTTP/1.1\r\nHost: " + HostPort(address, port) +
                              "\r\nConnection: close\r\n\r\n";
  char buffer[1024];
  if (!tls) {
    if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      return absl::UnavailableError("the gateway takes no request");
    const ssize_t got = ::read(fd.get(), buffer, sizeof(buffer));
    return CheckAnswer(std::string(buffer, static_cast<std::size_t>(got > 0 ? got : 0)));
  }
  const SslContext context(SSL_CTX_new(TLS_client_method()));
  const Ssl ssl(context ? SSL_new(context.get()) : nullptr);
  if (!ssl || SSL_set_fd(ssl.get(), fd.get()) != 1)
    return absl::InternalError("OpenSSL: no memory");
  if (SSL_connect(ssl.get()) != 1) return absl::UnavailableError("TLS handshake with the gateway");
  if (SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())) <= 0)
    return absl::UnavailableError("the gateway takes no request");
  const int got = SSL_read(ssl.get(), buffer, sizeof(buffer));
  return CheckAnswer(std::string(buffer, static_cast<std::size_t>(got > 0 ? got : 0)));
}

}  // namespace trove::trovectl
