#include "services/gateway/http_server.h"

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

// The whole of Asio and Beast is compiled here and nowhere else.
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/impl/src.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/src.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include "libtrove/base/mutex.h"

namespace trove::gateway {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = boost::asio::ip::tcp;

std::chrono::nanoseconds Chrono(absl::Duration duration) {
  return absl::ToChronoNanoseconds(duration);
}

std::string Text(boost::core::string_view text) {
  return std::string(text.data(), text.size());
}

std::string Show(const Tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

// How much of a refused request is read and thrown away, so that the client reads the answer
// instead of a reset, and how long that may take.
constexpr std::size_t kMaxDiscardedBytes = 8 * 1024 * 1024;
constexpr absl::Duration kLinger = absl::Seconds(2);

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
class ServerState {
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
  mutable Mutex mutex_;
  CondVar changed_;
  bool draining_ TROVE_GUARDED_BY(mutex_) = false;
  std::unordered_set<std::shared_ptr<Connection>> connections_ TROVE_GUARDED_BY(mutex_);
};

void CloseStream(beast::tcp_stream& stream) {
  error_code ignored;
  stream.socket().shutdown(Tcp::socket::shutdown_both, ignored);
  stream.socket().close(ignored);
}

// `Stream` is beast::tcp_stream, or an ssl_stream over one. Everything runs on the stream's strand.
template <typename Stream>
class Session final : public Connection, public std::enable_shared_from_this<Session<Stream>> {
 public:
  template <typename... StreamArguments>
  explicit Session(std::shared_ptr<ServerState> server, StreamArguments&&... arguments)
      : server_(std::move(server)),
        stream_(std::forward<StreamArguments>(arguments)...),
        buffer_(server_->options().max_header_bytes + server_->options().max_body_bytes) {
    error_code ignored;
    const Tcp::endpoint peer = beast::get_lowest_layer(stream_).socket().remote_endpoint(ignored);
    peer_ = Show(peer);
    local_ = Show(beast::get_lowest_layer(stream_).socket().local_endpoint(ignored));
  }

  void Start() override {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->Begin(); });
  }

  void TurnAway() override {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] {
      if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
        self->keep_alive_ = false;
        self->Write(self->server_->refusal()(503, "Too many connections, try again later"),
                    &Session::OnWritten);
      } else {
        self->Close();
      }
    });
  }

  void Drain() override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (self->state_ == State::kIdle) self->Close();
    });
  }

  void Cut() override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] { self->Close(); });
  }

 private:
  enum class State { kIdle, kBusy, kClosed };

  beast::tcp_stream& Socket() { return beast::get_lowest_layer(stream_); }

  template <typename Member>
  auto Then(Member member) {
    return [self = this->shared_from_this(), member](error_code error, auto... rest) {
      (self.get()->*member)(error, rest...);
    };
  }

  void Begin() {
    if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
      AwaitRequest();
    } else {
      state_ = State::kBusy;
      Socket().expires_after(Chrono(server_->options().header_timeout));
      stream_.async_handshake(asio::ssl::stream_base::server, Then(&Session::OnHandshake));
    }
  }

  void OnHandshake(error_code error) {
    if (error) return Close();
    AwaitRequest();
  }

  // Waits for the first byte of a request: only then its own clock starts.
  void AwaitRequest() {
    if (server_->draining()) return Close();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(server_->options().max_header_bytes));
    parser_->body_limit(server_->options().max_body_bytes);
    if (buffer_.size() > 0) return ReadHeader();
    state_ = State::kIdle;
    Socket().expires_after(Chrono(server_->options().idle_timeout));
    stream_.async_read_some(buffer_.prepare(4096), Then(&Session::OnFirstBytes));
  }

  void OnFirstBytes(error_code error, std::size_t bytes) {
    if (error || state_ == State::kClosed) return Close();
    buffer_.commit(bytes);
    ReadHeader();
  }

  void ReadHeader() {
    state_ = State::kBusy;
    Socket().expires_after(Chrono(server_->options().header_timeout));
    http::async_read_header(stream_, buffer_, *parser_, Then(&Session::OnHeader));
  }

  void OnHeader(error_code error, std::size_t) {
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return Refuse(431, "The request's header is too large");
    }
    if (error == http::error::body_limit) return Refuse(413, BodyTooLarge());
    // Whoever went away or was too slow (the stream is closed then) gets no answer.
    if (error && !IsMalformed(error)) return Close();
    if (error) return Refuse(400, NotHttp(error));

    const auto length = parser_->content_length();
    if (length && *length > server_->options().max_body_bytes) return Refuse(413, BodyTooLarge());
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue") &&
        !parser_->is_done()) {
      continue_.emplace(http::status::continue_, parser_->get().version());
      Socket().expires_after(Chrono(server_->options().write_timeout));
      http::async_write(stream_, *continue_, Then(&Session::OnContinue));
      return;
    }
    ReadBody();
  }

  void OnContinue(error_code error, std::size_t) {
    if (error) return Close();
    ReadBody();
  }

  void ReadBody() {
    Socket().expires_after(Chrono(server_->options().body_timeout));
    http::async_read(stream_, buffer_, *parser_, Then(&Session::OnRequest));
  }

  void OnRequest(error_code error, std::size_t) {
    if (error == http::error::body_limit || error == http::error::buffer_overflow) {
      return Refuse(413, BodyTooLarge());
    }
    if (error && !IsMalformed(error)) return Close();
    if (error) return Refuse(400, NotHttp(error));
    Socket().expires_never();

    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    head_ = message.method() == http::verb::head;
    version_ = message.version();
    HttpRequest request;
    request.method = Text(message.method_string());
    request.target = Text(message.target());
    for (const auto& field : message)
      request.headers.emplace_back(Text(field.name_string()), Text(field.value()));
    request.body = std::move(message.body());
    request.peer = peer_;
    request.local_address = local_;
    request.over_tls = !std::is_same_v<Stream, beast::tcp_stream>;
    server_->handler()(std::move(request),
                       Responder([self = this->shared_from_this()](HttpResponse response) {
                         if (self->cut_) return;  // nobody may be left to run it
                         asio::post(self->stream_.get_executor(),
                                    [self, response = std::move(response)]() mutable {
                                      self->Answer(std::move(response));
                                    });
                       }));
  }

  void Answer(HttpResponse response) {
    if (state_ == State::kClosed) return;
    if (server_->draining()) keep_alive_ = false;
    Write(std::move(response), &Session::OnWritten);
  }

  // The answer to what is no request; the rest of it is thrown away.
  void Refuse(int status, const std::string& why) {
    keep_alive_ = false;
    head_ = false;
    version_ = 11;
    Write(server_->refusal()(status, why), &Session::OnRefused);
  }

  template <typename Member>
  void Write(HttpResponse response, Member then) {
    const std::size_t length = response.body.size();
    response_.emplace();
    response_->version(version_);
    response_->result(static_cast<unsigned>(response.status));
    response_->set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers)
      response_->insert(name, value);
    response_->keep_alive(keep_alive_);
    if (response.status != 204) response_->content_length(length);
    if (!head_) response_->body() = std::move(response.body);
    serializer_.emplace(*response_);
    Socket().expires_after(Chrono(server_->options().write_timeout));
    if (head_) {
      http::async_write_header(stream_, *serializer_, Then(then));
    } else {
      http::async_write(stream_, *serializer_, Then(then));
    }
  }

  void OnWritten(error_code error, std::size_t) {
    if (error) return Close();
    if (!keep_alive_) return Finish();
    AwaitRequest();
  }

  void OnRefused(error_code error, std::size_t) {
    if (error) return Close();
    error_code ignored;
    Socket().socket().shutdown(Tcp::socket::shutdown_send, ignored);
    Socket().expires_after(Chrono(kLinger));
    Discard();
  }

  void Discard() {
    Socket().async_read_some(asio::buffer(discarded_), Then(&Session::OnDiscarded));
  }

  void OnDiscarded(error_code error, std::size_t bytes) {
    discarded_bytes_ += bytes;
    if (error || discarded_bytes_ > kMaxDiscardedBytes) return Close();
    Discard();
  }

  // Says goodbye as the protocol has it.
  void Finish() {
    if constexpr (!std::is_same_v<Stream, beast::tcp_stream>) {
      Socket().expires_after(Chrono(kLinger));
      stream_.async_shutdown([self = this->shared_from_this()](error_code) { self->Close(); });
    } else {
      Close();
    }
  }

  void Close() {
    if (state_ == State::kClosed) return;
    state_ = State::kClosed;
    cut_ = true;
    CloseStream(Socket());
    server_->Remove(this->shared_from_this());
  }

  // Whether the parser could not make sense of what came.
  static bool IsMalformed(const error_code& error) {
    return error.category() == error_code(http::error::bad_method).category() &&
           error != http::error::end_of_stream && error != http::error::partial_message;
  }

  static std::string NotHttp(const error_code& error) {
    return "This is not an HTTP request: " + error.message();
  }

  std::string BodyTooLarge() const {
    return "The body has more than " + std::to_string(server_->options().max_body_bytes) + " bytes";
  }

  const std::shared_ptr<ServerState> server_;
  Stream stream_;
  beast::flat_buffer buffer_;
  std::string peer_;
  std::string local_;
  State state_ = State::kBusy;
  std::atomic<bool> cut_ = false;  // closed, for who is not on the strand
  bool keep_alive_ = false;
  bool head_ = false;
  unsigned version_ = 11;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::optional<http::response<http::empty_body>> continue_;
  std::array<char, 4096> discarded_;
  std::size_t discarded_bytes_ = 0;
};

using PlainSession = Session<beast::tcp_stream>;
using TlsSession = Session<beast::ssl_stream<beast::tcp_stream>>;

}  // namespace

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
