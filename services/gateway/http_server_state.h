#pragma once

// What the connections of an HTTP server share. For http_server.cc alone, the one place where Asio
// and Beast are compiled.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "libtrove/base/mutex.h"
#include "services/gateway/http_server.h"

namespace trove::gateway::internal {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = boost::asio::ip::tcp;

inline std::chrono::nanoseconds Chrono(absl::Duration duration) {
  return absl::ToChronoNanoseconds(duration);
}

inline std::string Text(boost::core::string_view text) {
  return std::string(text.data(), text.size());
}

inline std::string Show(const Tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

// How much of a refused request is read and thrown away, so that the client reads the answer
// instead of a reset, and how long that may take.
inline constexpr std::size_t kMaxDiscardedBytes = 8 * 1024 * 1024;
inline constexpr absl::Duration kLinger = absl::Seconds(2);

// How much a client may say while it listens to an answer that goes on.
inline constexpr std::size_t kMaxInterruptionBytes = 64 * 1024;

// The address alone, and IPv4 as itself where it came over an IPv6 listener.
inline std::string ShowAddress(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

// One connection, as the server sees it.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void Start() = 0;
  // Says that the server is full, if that can be said at once, and closes it.
  virtual void TurnAway() = 0;
  // Closes it when idle, and after the answer under way otherwise.
  virtual void Drain() = 0;
  // Closes it now.
  virtual void Cut() = 0;
};

// What connections share with their server. Outlives them, and so does what they run on.
class ServerState : public std::enable_shared_from_this<ServerState> {
 public:
  ServerState(HttpOptions options, HttpServer::Handler handler, HttpServer::Refusal refusal)
      : options_(std::move(options)), handler_(std::move(handler)), refusal_(std::move(refusal)) {}

  asio::io_context& io() { return io_; }
  const HttpOptions& options() const { return options_; }
  const HttpServer::Handler& handler() const { return handler_; }
  const HttpServer::Refusal& refusal() const { return refusal_; }

  // False: there are too many.
  bool Add(const std::shared_ptr<Connection>& connection) TROVE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (draining_ || connections_.size() >= options_.max_connections) return false;
    connections_.insert(connection);
    return true;
  }

  void Remove(const std::shared_ptr<Connection>& connection) TROVE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    connections_.erase(connection);
    changed_.NotifyAll();
  }

  // Whoever holds it is one of the answers that go on; null: there are too many.
  std::shared_ptr<void> AddStream() {
    if (streams_.fetch_add(1) >= options_.max_streams) {
      streams_.fetch_sub(1);
      return nullptr;
    }
    return {this, [self = this->shared_from_this()](void*) {
              self->streams_.fetch_sub(1);
            }};
  }

  bool draining() const TROVE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return draining_;
  }

  std::vector<std::shared_ptr<Connection>> BeginDrain() TROVE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    draining_ = true;
    return {connections_.begin(), connections_.end()};
  }

  std::vector<std::shared_ptr<Connection>> Remaining() TROVE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return {connections_.begin(), connections_.end()};
  }

  // Whether every connection is gone by `deadline`.
  bool WaitUntilEmpty(absl::Time deadline) TROVE_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return changed_.WaitUntil(
        mutex_, deadline, [this]() TROVE_REQUIRES(mutex_) { return connections_.empty(); });
  }

 private:
  asio::io_context io_;
  const HttpOptions options_;
  const HttpServer::Handler handler_;
  const HttpServer::Refusal refusal_;
  std::atomic<std::size_t> streams_ = 0;
  mutable Mutex mutex_;
  CondVar changed_;
  bool draining_ TROVE_GUARDED_BY(mutex_) = false;
  std::unordered_set<std::shared_ptr<Connection>> connections_ TROVE_GUARDED_BY(mutex_);
};

inline void CloseStream(beast::tcp_stream& stream) {
  error_code ignored;
  stream.socket().shutdown(Tcp::socket::shutdown_both, ignored);
  stream.socket().close(ignored);
}

}  // namespace trove::gateway::internal
