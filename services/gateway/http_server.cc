#include "services/gateway/http_server.h"

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

// The whole of Asio and Beast is compiled here and nowhere else.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/src.hpp>

#include "services/gateway/http_session.h"

namespace trove::gateway {

namespace asio = boost::asio;
using boost::system::error_code;
using internal::Connection;
using internal::PlainSession;
using internal::ServerState;
using internal::Show;
using internal::Tcp;
using internal::TlsSession;

class HttpServer::Impl {
 public:
  Impl(const HttpOptions& options, Handler handler, Refusal refusal)
      : state_(std::make_shared<ServerState>(options, std::move(handler), std::move(refusal))),
        acceptor_(asio::make_strand(state_->io())),
        retry_(acceptor_.get_executor()),
        work_(asio::make_work_guard(state_->io())) {}

  absl::Status Listen() {
    const HttpOptions& options = state_->options();
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) {
      return absl::InvalidArgumentError("listen on " + options.address + ": not an IP address");
    }
    if (!options.tls_certificate.empty()) {
      if (absl::Status loaded = LoadTls(); !loaded.ok()) return loaded;
    }
    const Tcp::endpoint endpoint(address, static_cast<std::uint16_t>(options.port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(SOMAXCONN, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) {
      return absl::UnavailableError("listen on " + Show(endpoint) + ": " + error.message());
    }
    for (int i = 0; i < options.threads; ++i)
      threads_.emplace_back([this] { state_->io().run(); });
    asio::post(acceptor_.get_executor(), [this] { Accept(); });
    return absl::OkStatus();
  }

  int port() const { return port_; }

  void Drain(absl::Duration grace) {
    StopAccepting();
    for (const auto& connection : state_->BeginDrain())
      connection->Drain();
    state_->WaitUntilEmpty(absl::Now() + grace);
    for (const auto& connection : state_->Remaining())
      connection->Cut();
    state_->WaitUntilEmpty(absl::InfiniteFuture());
    Join();
  }

  void Join() {
    work_.reset();
    threads_.clear();  // each ends when nothing is left to do
  }

  bool joined() const { return threads_.empty(); }

 private:
  absl::Status LoadTls() {
    const HttpOptions& options = state_->options();
    tls_.emplace(asio::ssl::context::tls_server);
    error_code error;
    tls_->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                          asio::ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION,
                      error);
    if (!error) tls_->use_certificate_chain_file(options.tls_certificate, error);
    if (error) {
      return absl::InvalidArgumentError("TLS certificate " + options.tls_certificate + ": " +
                                        error.message());
    }
    tls_->use_private_key_file(options.tls_key, asio::ssl::context::pem, error);
    if (error) {
      return absl::InvalidArgumentError("TLS key " + options.tls_key + ": " + error.message());
    }
    return absl::OkStatus();
  }

  void Accept() {
    acceptor_.async_accept(asio::make_strand(state_->io()),
                           [this](error_code error, Tcp::socket socket) {
                             if (error == asio::error::operation_aborted || !acceptor_.is_open())
                               return;
                             if (error) {
                               // Out of descriptors or memory: the next try may do better, and soon
                               // enough.
                               retry_.expires_after(std::chrono::milliseconds(50));
                               retry_.async_wait([this](error_code stopped) {
                                 if (!stopped) Accept();
                               });
                               return;
                             }
                             Serve(std::move(socket));
                             Accept();
                           });
  }

  void Serve(Tcp::socket socket) {
    error_code ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
    std::shared_ptr<Connection> connection;
    if (tls_.has_value()) {
      connection = std::make_shared<TlsSession>(state_, std::move(socket), *tls_);
    } else {
      connection = std::make_shared<PlainSession>(state_, std::move(socket));
    }
    if (state_->Add(connection)) {
      connection->Start();
    } else {
      connection->TurnAway();
    }
  }

  void StopAccepting() {
    asio::dispatch(acceptor_.get_executor(), [this] {
      error_code ignored;
      acceptor_.close(ignored);
      retry_.cancel();
    });
  }

  const std::shared_ptr<ServerState> state_;
  std::optional<asio::ssl::context> tls_;
  Tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  int port_ = 0;
  std::vector<std::jthread> threads_;  // last: they use everything above
};

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpOptions& options,
                                                              Handler handler,
                                                              Refusal refusal) {
  auto impl = std::make_shared<Impl>(options, std::move(handler), std::move(refusal));
  if (absl::Status listening = impl->Listen(); !listening.ok()) {
    impl->Join();
    return listening;
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  if (!impl_->joined()) impl_->Drain(absl::ZeroDuration());
}

int HttpServer::port() const {
  return impl_->port();
}

void HttpServer::Drain(absl::Duration grace) {
  impl_->Drain(grace);
}

}  // namespace trove::gateway
