#pragma once

// One HTTP connection. For http_server.cc alone, the one place where Asio and Beast are compiled.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include "services/gateway/http_server_state.h"
#include "services/gateway/http_stream.h"

namespace trove::gateway::internal {

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
    peer_ = ShowAddress(peer.address());
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
                    &Session::OnRefused);
      } else {
        self->Close();
      }
    });
  }

  void Drain() override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (self->buffered_ != nullptr) {
        self->buffered_->Drain();
      } else if (self->state_ == State::kIdle) {
        self->Close();
      }
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
    // A client of HTTP/1.0 would take it for the answer.
    if (beast::iequals(parser_->get()[http::field::expect], "100-continue") &&
        parser_->get().version() >= 11 && !parser_->is_done()) {
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
    server_->handler()(
        std::move(request),
        Responder(
            [self = this->shared_from_this()](HttpResponse response) {
              self->Post([response = std::move(response)](Session& session) mutable {
                session.Answer(std::move(response));
              });
            },
            [self = this->shared_from_this()](HttpResponse head, StreamOptions options) {
              return self->BeginStream(std::move(head), std::move(options));
            }));
  }

  // Runs `work` on the strand, if this connection still is then. What waits to run does not keep
  // the connection: nobody may be left to run it.
  template <typename Work>
  void Post(Work work) {
    if (cut_) return;
    asio::post(stream_.get_executor(),
               [weak = this->weak_from_this(), work = std::move(work)]() mutable {
                 if (const auto self = weak.lock()) work(*self);
               });
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

  // Begins an answer that goes on; null: there are too many. Not on the strand.
  std::shared_ptr<BodyStream> BeginStream(HttpResponse head, StreamOptions options) {
    const std::shared_ptr<void> place = server_->AddStream();
    if (place == nullptr) return nullptr;
    const auto buffer =
        std::make_shared<StreamBuffer>(std::move(options),
                                       server_->options().max_stream_buffer_bytes,
                                       [weak = this->weak_from_this()] {
                                         if (const auto self = weak.lock())
                                           self->Post([](Session& session) { session.Pump(); });
                                       });
    if (cut_) {
      buffer->Abort();
      return buffer;
    }
    asio::post(stream_.get_executor(),
               [weak = this->weak_from_this(), head = std::move(head), buffer, place]() {
                 // Whoever feeds it must hear of it when nobody is left to send.
                 const auto self = weak.lock();
                 if (self == nullptr) return buffer->Abort();
                 self->StartStream(head, buffer, place);
               });
    return buffer;
  }

  void StartStream(const HttpResponse& head,
                   std::shared_ptr<StreamBuffer> buffer,
                   std::shared_ptr<void> place) {
    if (state_ == State::kClosed) return buffer->Abort();
    buffered_ = std::move(buffer);
    place_ = std::move(place);
    keep_alive_ = false;  // what comes meanwhile is thrown away
    beat_.emplace(stream_.get_executor());
    // A client that has gone without a word, or that lets nothing in, is given up by the kernel.
    const auto limit_ms =
        static_cast<unsigned>(absl::ToInt64Milliseconds(server_->options().write_timeout));
    ::setsockopt(Socket().socket().native_handle(),
                 IPPROTO_TCP,
                 TCP_USER_TIMEOUT,
                 &limit_ms,
                 sizeof(limit_ms));

    stream_head_.emplace();
    stream_head_->version(version_);
    stream_head_->result(static_cast<unsigned>(head.status));
    stream_head_->set(http::field::content_type, head.content_type);
    for (const auto& [name, value] : head.headers)
      stream_head_->insert(name, value);
    stream_head_->keep_alive(false);
    if (version_ >= 11) stream_head_->chunked(true);
    stream_serializer_.emplace(*stream_head_);
    // The read first: the clock that is set then is the write's alone.
    Socket().expires_never();
    Listen();
    Socket().expires_after(Chrono(server_->options().write_timeout));
    http::async_write_header(stream_, *stream_serializer_, Then(&Session::OnStreamHead));
  }

  void OnStreamHead(error_code error, std::size_t) {
    if (error || state_ == State::kClosed) return Close();
    stream_begun_ = true;
    if (server_->draining()) buffered_->Drain();
    if (head_) return FinishStream();
    Beat();
    Pump();
  }

  // Hears of a client that leaves.
  void Listen() {
    stream_.async_read_some(asio::buffer(discarded_), Then(&Session::OnInterruption));
  }

  void OnInterruption(error_code error, std::size_t bytes) {
    discarded_bytes_ += bytes;
    if (error || discarded_bytes_ > kMaxInterruptionBytes) return Close();
    Listen();
  }

  // Sends what there is, one piece at a time.
  void Pump() {
    if (!stream_begun_ || sending_ || state_ == State::kClosed) return;
    StreamBuffer::Piece piece = buffered_->Take();
    if (piece.bytes.empty() && !piece.last) return;
    sending_ = true;
    last_ = piece.last;
    if (version_ < 11) {
      piece_ = std::move(piece.bytes);
    } else {
      piece_.clear();
      if (!piece.bytes.empty()) {
        char size[24];
        const int digits = std::snprintf(size, sizeof(size), "%zx\r\n", piece.bytes.size());
        piece_.append(size, static_cast<std::size_t>(digits)).append(piece.bytes).append("\r\n");
      }
      if (last_) piece_ += "0\r\n\r\n";
    }
    Socket().expires_after(Chrono(server_->options().write_timeout));
    asio::async_write(stream_, asio::buffer(piece_), Then(&Session::OnPieceSent));
  }

  void OnPieceSent(error_code error, std::size_t) {
    sending_ = false;
    if (error || state_ == State::kClosed) return Close();
    if (last_) return FinishStream();
    buffered_->Sent();
    Beat();
    Pump();
  }

  // Sends a heartbeat when nothing else is sent for a while.
  void Beat() {
    if (buffered_->options().heartbeat.empty()) return;
    beat_->expires_after(Chrono(buffered_->options().heartbeat_interval));
    beat_->async_wait([weak = this->weak_from_this()](error_code stopped) {
      const auto self = weak.lock();
      if (stopped || self == nullptr || self->buffered_ == nullptr || self->sending_) return;
      self->buffered_->Write(self->buffered_->options().heartbeat);
    });
  }

  void FinishStream() {
    stream_begun_ = false;
    if constexpr (!std::is_same_v<Stream, beast::tcp_stream>) {
      // The read that is under way has no clock.
      beat_->expires_after(Chrono(kLinger));
      beat_->async_wait([weak = this->weak_from_this()](error_code stopped) {
        const auto self = weak.lock();
        if (!stopped && self != nullptr) self->Close();
      });
    }
    Finish();
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
    if (beat_.has_value()) beat_->cancel();
    place_.reset();
    if (const auto buffer = std::exchange(buffered_, nullptr)) buffer->Abort();
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

  // Of an answer that goes on.
  std::shared_ptr<StreamBuffer> buffered_;
  std::shared_ptr<void> place_;  // among those that there may be
  std::optional<asio::steady_timer> beat_;
  std::optional<http::response<http::empty_body>> stream_head_;
  std::optional<http::response_serializer<http::empty_body>> stream_serializer_;
  bool stream_begun_ = false;  // its header has been sent, and its end has not
  bool sending_ = false;
  bool last_ = false;  // nothing comes after the piece that is being sent
  std::string piece_;
};

using PlainSession = Session<beast::tcp_stream>;
using TlsSession = Session<beast::ssl_stream<beast::tcp_stream>>;

}  // namespace trove::gateway::internal
