#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/gateway/http_message.h"

namespace trove::gateway {

/// What an HTTP server allows and how long it waits.
struct HttpOptions {
  std::string address = "127.0.0.1";   ///< IP address to listen on
  int port = 0;                        ///< 0: any free one
  std::string tls_certificate;         ///< PEM file, with the chain; empty: plain HTTP
  std::string tls_key;                 ///< PEM file
  int threads = 2;                     ///< that read, write and call the handler
  std::size_t max_connections = 1024;  ///< more are told 503 and closed
  std::size_t max_header_bytes = 16 * 1024;
  std::size_t max_body_bytes = 1024 * 1024;
  absl::Duration idle_timeout = absl::Seconds(75);    ///< between requests
  absl::Duration header_timeout = absl::Seconds(10);  ///< from a header's first byte to its last
  absl::Duration body_timeout = absl::Seconds(30);    ///< for the whole body
  absl::Duration write_timeout = absl::Seconds(30);   ///< for the whole answer, or a piece of one
                                                      ///< that goes on
  std::size_t max_streams = 512;                      ///< answers that go on, at a time
  std::size_t max_stream_buffer_bytes = 256 * 1024;   ///< that wait for the client of such a one
};

/// An HTTP/1.1 server: keep-alive, pipelining (answers in the order of the requests, one handled at
/// a time), Expect: 100-continue, HEAD (the handler sees it as it is; a body is not sent), TLS on
/// demand. An answer may go on (Responder::Stream): chunked, or until the connection ends for
/// HTTP/1.0; its connection is closed after it. No thread waits while a request is being handled or
/// an answer goes on. Thread-safe.
class HttpServer {
 public:
  /// Takes a request and answers through the responder, now or later, from any thread. Called on
  /// the server's threads: it must not block.
  using Handler = std::function<void(HttpRequest, Responder)>;

  /// The answer to what is no request: a status (400, 413, 431, 503) and what was wrong.
  using Refusal = std::function<HttpResponse(int status, const std::string& why)>;

  /// Listens and serves. Errors: kInvalidArgument: a malformed address; kNotFound,
  /// kInvalidArgument: TLS files; kUnavailable: the port is taken or the address not of this
  /// machine.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpOptions& options,
                                                           Handler handler,
                                                           Refusal refusal);

  /// Ends everything at once, if Drain has not.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// The real port.
  int port() const;

  /// Accepts nothing new, closes idle connections, says farewell to answers that go on, lets
  /// requests that have begun be answered for `grace` (with Connection: close), then cuts what is
  /// left. Returns when no connection remains.
  /// The handler must answer or drop every request, for the threads to end. Once.
  void Drain(absl::Duration grace);

 private:
  class Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  const std::shared_ptr<Impl> impl_;
};

}  // namespace trove::gateway
