#include "agents/keeper/control_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "agents/keeper/log.h"

namespace trove::keeper {
namespace {

Error Watch(int epoll_fd, int fd, std::uint64_t id) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return ErrnoError(errno, "watch a socket");
}

std::optional<Trust> TrustOf(int fd, uid_t owner) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return std::nullopt;
  if (peer.uid == 0 || peer.uid == owner) return Trust::kOwner;
  if (peer.uid == ::geteuid()) return Trust::kGuest;
  return std::nullopt;
}

}  // namespace

ControlSocket::ControlSocket(std::string path, uid_t owner, int epoll_fd, UniqueFd listener)
    : path_(std::move(path)), owner_(owner), epoll_fd_(epoll_fd), listener_(std::move(listener)) {}

ControlSocket::~ControlSocket() {
  if (listener_) ::unlink(path_.c_str());
}

Parsed<ControlSocket> ControlSocket::Listen(std::string path,
                                            uid_t owner,
                                            int epoll_fd,
                                            std::uint64_t listener_id) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > kMaxSocketPathBytes) return {{}, path + " is too long for a socket"};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return {{}, ErrnoError(errno, "socket")};
  ::unlink(path.c_str());  // we hold the guest's lock, so nobody listens there
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return {{}, ErrnoError(errno, "bind " + path)};
  if (::listen(listener.get(), kMaxConnections) != 0)
    return {{}, ErrnoError(errno, "listen on " + path)};
  if (Error error = Watch(epoll_fd, listener.get(), listener_id); !error.empty())
    return {{}, std::move(error)};
  return {ControlSocket(std::move(path), owner, epoll_fd, std::move(listener)), {}};
}

int ControlSocket::CountOf(Trust trust) const {
  return static_cast<int>(
      std::count_if(connections_.begin(), connections_.end(), [trust](const auto& entry) {
        return entry.second.trust == trust;
      }));
}

void ControlSocket::OnListener() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;  // it has gone again
  const std::optional<Trust> trust = TrustOf(fd.get(), owner_);
  if (!trust) return Log(Level::kWarning, "refused a connection of a foreign uid");
  const bool full = connections_.size() >= kMaxConnections ||
                    (*trust == Trust::kGuest && CountOf(Trust::kGuest) >= kMaxGuestConnections);
  const ConnectionId id = next_id_++;
  Connection connection{std::move(fd), *trust};
  if (full) {
    Send(connection, EncodeReply({Result::kBusy, "too many connections", {}}));
    return;
  }
  if (!Watch(epoll_fd_, connection.fd.get(), id).empty()) return;
  connections_.emplace(id, std::move(connection));
}

void ControlSocket::OnConnection(ConnectionId id, const Handler& handler) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  static std::array<char, kMaxFrameBytes> frame;
  // MSG_TRUNC: the true length also of a frame that does not fit.
  const ssize_t got = ::recv(connection.fd.get(), frame.data(), frame.size(), MSG_TRUNC);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0 || static_cast<std::size_t>(got) > frame.size()) return Close(id);
  // It has asked already, and one thing at a time.
  if (connection.waits || connection.subscribed) return Close(id);

  const auto request = ParseRequest(std::string_view(frame.data(), static_cast<std::size_t>(got)));
  if (!request.value) {
    Send(connection, EncodeReply({Result::kBadRequest, request.error, {}}));
    return Close(id);
  }
  connection.waits = true;
  handler(id, connection.trust, *request.value);
}

void ControlSocket::Answer(ConnectionId id, const Reply& reply) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  found->second.waits = false;
  if (!Send(found->second, EncodeReply(reply))) Close(id);
}

void ControlSocket::Subscribe(ConnectionId id) {
  const auto found = connections_.find(id);
  if (found != connections_.end()) found->second.subscribed = true;
}

void ControlSocket::Publish(const Event& event) {
  const std::string frame = EncodeEvent(event);
  std::vector<ConnectionId> lost;
  for (const auto& [id, connection] : connections_) {
    if (connection.subscribed && !Send(connection, frame)) lost.push_back(id);
  }
  for (const ConnectionId id : lost)
    Close(id);
}

bool ControlSocket::Send(const Connection& connection, const std::string& frame) const {
  while (true) {
    const ssize_t sent =
        ::send(connection.fd.get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return true;
    if (errno != EINTR) return false;
  }
}

void ControlSocket::Close(ConnectionId id) {
  connections_.erase(id);  // closing takes it out of the epoll
}

}  // namespace trove::keeper
