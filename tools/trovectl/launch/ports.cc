#include "tools/trovectl/launch/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove::trovectl {
namespace {

constexpr int kDefaultRest = 8779;
constexpr int kDefaultGrpc = 8780;
constexpr char kLoopback[] = "127.0.0.1";

// Free ports are taken from between those of the databases and the ephemeral ones, where no
// outgoing connection can take away what a mesh had before its restart.
constexpr int kFirstFree = 30'000;
constexpr int kLastFree = 32'767;

std::vector<std::pair<std::string, int Ports::*>> Fields() {
  return {{"rest", &Ports::rest},
          {"grpc", &Ports::grpc},
          {"nats", &Ports::nats},
          {"enrol", &Ports::enrol},
          {"api", &Ports::api},
          {"taskmanager", &Ports::taskmanager},
          {"conductor", &Ports::conductor}};
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

absl::StatusOr<SocketAddress> Parse(const std::string& address, int port) {
  SocketAddress parsed;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&parsed.storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    parsed.size = sizeof(sockaddr_in);
    return parsed;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&parsed.storage);
  if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    parsed.size = sizeof(sockaddr_in6);
    return parsed;
  }
  return absl::InvalidArgumentError("\"" + address + "\" is not an IP address");
}

// Holds a port against other launchers until its server listens: an abstract socket of that name
// is one launcher's alone and ends with it. Empty: another launcher has it.
UniqueFd ClaimPort(int port) {
  const std::string name = "trove-port-" + std::to_string(port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0) return fd;
  return {};
}

// The ports of one start as they are chosen.
class Choice {
 public:
  // Whether nobody has it, now ours.
  absl::StatusOr<bool> Take(const std::string& address, int port) {
    if (chosen_.contains(port)) return false;
    TROVE_ASSIGN_OR_RETURN(const bool is_free, IsPortFree(address, port));
    if (!is_free) return false;
    UniqueFd claim = ClaimPort(port);
    if (!claim) return false;
    claims_.push_back(std::move(claim));
    chosen_.insert(port);
    return true;
  }

  absl::StatusOr<int> TakeAny(const std::string& address) {
    static thread_local std::mt19937 random(std::random_device{}());
    constexpr int kCount = kLastFree - kFirstFree + 1;
    const int start = std::uniform_int_distribution<int>(0, kCount - 1)(random);
    for (int i = 0; i < kCount; ++i) {
      const int port = kFirstFree + (start + i) % kCount;
      TROVE_ASSIGN_OR_RETURN(const bool taken, Take(address, port));
      if (taken) return port;
    }
    return absl::ResourceExhaustedError("no port from " + std::to_string(kFirstFree) + " to " +
                                        std::to_string(kLastFree) + " is free on " + address);
  }

  // One of the two ports that people have to know.
  absl::StatusOr<int> TakePublic(const std::string& flag,
                                 const std::optional<int>& asked,
                                 int last,
                                 int usual,
                                 const std::string& address) {
    if (asked && (*asked < 0 || *asked > 65535))
      return absl::InvalidArgumentError(flag + " must be 0 to 65535");
    const bool any = asked && *asked == 0;
    if (any && last == 0) return TakeAny(address);
    const int wanted = asked && !any ? *asked : last != 0 ? last : usual;
    TROVE_ASSIGN_OR_RETURN(const bool taken, Take(address, wanted));
    if (taken) return wanted;
    if (any) return TakeAny(address);
    return absl::UnavailableError("port " + std::to_string(wanted) + " of " + address +
                                  " is taken: choose another with " + flag +
                                  " N, or any free one with " + flag + " 0");
  }

  std::vector<UniqueFd> TakeClaims() { return std::move(claims_); }

 private:
  std::set<int> chosen_;
  std::vector<UniqueFd> claims_;
};

}  // namespace

absl::StatusOr<Ports> ReadPorts(const Layout& layout) {
  const absl::StatusOr<std::string> text = ReadFile(layout.Ports());
  if (absl::IsNotFound(text.status())) return Ports();
  if (!text.ok()) return text.status();
  Ports ports;
  std::istringstream words(*text);
  std::string name;
  for (int port = 0; words >> name >> port;) {
    for (const auto& [field, member] : Fields()) {
      if (field == name && port > 0 && port <= 65535) ports.*member = port;
    }
  }
  if (!words.eof())
    return absl::FailedPreconditionError(layout.Ports().string() + " does not hold ports");
  return ports;
}

absl::Status WritePorts(const Layout& layout, const Ports& ports) {
  std::string text;
  for (const auto& [name, member] : Fields())
    text += name + " " + std::to_string(ports.*member) + "\n";
  return WriteFileAtomically(layout.Ports(), text, 0600);
}

absl::StatusOr<ChosenPorts> ChoosePorts(const AskedPorts& asked,
                                        const Ports& last,
                                        const std::string& address) {
  Choice choice;
  ChosenPorts chosen;
  Ports& ports = chosen.ports;
  TROVE_ASSIGN_OR_RETURN(
      ports.rest, choice.TakePublic("--rest-port", asked.rest, last.rest, kDefaultRest, address));
  TROVE_ASSIGN_OR_RETURN(
      ports.grpc, choice.TakePublic("--grpc-port", asked.grpc, last.grpc, kDefaultGrpc, address));
  for (int Ports::*const member :
       {&Ports::nats, &Ports::enrol, &Ports::api, &Ports::taskmanager, &Ports::conductor}) {
    const int before = last.*member;
    if (before != 0) {
      TROVE_ASSIGN_OR_RETURN(const bool taken, choice.Take(kLoopback, before));
      if (taken) {
        ports.*member = before;
        continue;
      }
    }
    TROVE_ASSIGN_OR_RETURN(ports.*member, choice.TakeAny(kLoopback));
  }
  chosen.claims = choice.TakeClaims();
  return chosen;
}

absl::StatusOr<bool> IsPortFree(const std::string& address, int port) {
  TROVE_ASSIGN_OR_RETURN(const SocketAddress at, Parse(address, port));
  const UniqueFd fd(::socket(at.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoStatus(errno, "make a socket");
  // As servers do: connections of a former server that are still winding up are no obstacle.
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at.storage), at.size) != 0) {
    if (errno == EADDRNOTAVAIL)
      return absl::InvalidArgumentError(address + " is not an address of this machine");
    if (errno == EACCES) {
      return absl::PermissionDeniedError("port " + std::to_string(port) +
                                         " may be used by root alone: choose one above 1023");
    }
    if (errno == EADDRINUSE) return false;
    return ErrnoStatus(errno, "bind " + HostPort(address, port));
  }
  // With SO_REUSEADDR only listen tells of another listener that has set it too.
  if (::listen(fd.get(), 1) != 0) {
    if (errno == EADDRINUSE) return false;
    return ErrnoStatus(errno, "listen on " + HostPort(address, port));
  }
  return true;
}

bool IsLoopback(const std::string& address) {
  in_addr v4{};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, address.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string HostPort(const std::string& address, int port) {
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

}  // namespace trove::trovectl
