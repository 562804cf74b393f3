#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "agents/keeper/error.h"
#include "libtrove/agent/keeper_protocol.h"
#include "libtrove/base/unique_fd.h"

namespace trove::keeper {

/// Names a connection for ever; numbers are not used again.
using ConnectionId = std::uint64_t;

/// Connection ids start here, so that an epoll can tell them from what else it watches.
inline constexpr ConnectionId kFirstConnection = 16;

enum class Trust {
  kGuest,  ///< the guest's own uid, when that is not the uid below
  kOwner,  ///< root, or the uid that started the keeper
};

/// The socket that clients connect to. Frames in, frames out; a connection that breaks the protocol
/// is closed and no other notices. Never blocks.
class ControlSocket {
 public:
  using Handler = std::function<void(ConnectionId, Trust, const Request&)>;

  /// Listens on `path`, where a socket left by a keeper that is gone is replaced. Connections are
  /// added to `epoll_fd` by their id, the listener as `listener_id`. `handler` is called by
  /// OnConnection for each request and must answer it by Reply, at once or later.
  static Parsed<ControlSocket> Listen(std::string path,
                                      uid_t owner,
                                      int epoll_fd,
                                      std::uint64_t listener_id);
  ControlSocket(ControlSocket&&) = default;
  ~ControlSocket();

  /// The listener is readable.
  void OnListener();
  /// A connection is readable; an id that is closed is fine.
  void OnConnection(ConnectionId id, const Handler& handler);

  /// Answers the request of a connection. One that is gone, or that does not read, is dropped.
  void Answer(ConnectionId id, const Reply& reply);
  /// From now on it gets events.
  void Subscribe(ConnectionId id);
  /// To all that subscribed.
  void Publish(const Event& event);

 private:
  struct Connection {
    UniqueFd fd;
    Trust trust = Trust::kGuest;
    bool waits = false;       // for the answer to its request
    bool subscribed = false;  // gets events and may not ask any more
  };

  ControlSocket(std::string path, uid_t owner, int epoll_fd, UniqueFd listener);
  bool Send(const Connection& connection, const std::string& frame) const;
  void Close(ConnectionId id);
  int CountOf(Trust trust) const;

  std::string path_;
  uid_t owner_;
  int epoll_fd_;
  UniqueFd listener_;
  std::map<ConnectionId, Connection> connections_;
  ConnectionId next_id_ = kFirstConnection;
};

}  // namespace trove::keeper
