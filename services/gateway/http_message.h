#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/time/time.h>

namespace trove::gateway {

/// Names and values of HTTP headers, in order.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// Whether two names of headers are the same: case does not count.
bool SameName(std::string_view a, std::string_view b);

/// What a client sent. The body is whole.
struct HttpRequest {
  std::string method;
  std::string target;  ///< as on the request line, undecoded
  Headers headers;
  std::string body;
  std::string peer;           ///< IP address of whoever connected
  bool over_tls = false;      ///< how it came
  std::string local_address;  ///< host:port that it came to

  /// The first header of that name, whatever its case; null when there is none.
  const std::string* Find(std::string_view name) const;
};

/// What the client gets. Content-Length, Date and Connection are the server's business.
struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  Headers headers;
  std::string body;
};

/// How an answer that goes on is looked after.
struct StreamOptions {
  std::string
      heartbeat;  ///< sent when nothing else was for `heartbeat_interval`; empty: nothing is
  absl::Duration heartbeat_interval = absl::Seconds(15);
  std::string farewell;  ///< sent last when the server drains
  /// Called once, on any thread, when nothing more can be sent: the client has left or reads too
  /// slowly, the server drains, or Close was called. Must not block.
  std::function<void()> on_end;
};

/// The rest of an answer that goes on, until Close. Thread-safe.
class BodyStream {
 public:
  virtual ~BodyStream() = default;

  /// Queues bytes for the client. False: the stream has ended. Whoever writes without asking for
  /// room loses the stream when the server's bound is reached.
  virtual bool Write(std::string bytes) = 0;

  /// Calls `callback` exactly once, when at least half of the buffer is free or the stream has
  /// ended: at once on this thread, or later on the server's. One callback waits at a time.
  virtual void WhenWritable(std::function<void()> callback) = 0;

  /// Ends the answer after what is queued.
  virtual void Close() = 0;
};

/// Takes the one answer to a request, on any thread. One that dies unused answers with 500, so that
/// no client waits for ever.
class Responder {
 public:
  /// Begins an answer that goes on; null: there are too many.
  using Begin = std::function<std::shared_ptr<BodyStream>(HttpResponse, StreamOptions)>;

  explicit Responder(std::function<void(HttpResponse)> send, Begin begin = nullptr);
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) noexcept = default;
  ~Responder();

  /// Sends the answer. Once.
  void operator()(HttpResponse response);

  /// Sends `head` (whose body is empty) and lets the answer go on. Null when there are too many
  /// such answers: this one is still to be given then.
  std::shared_ptr<BodyStream> Stream(HttpResponse head, StreamOptions options);

 private:
  std::function<void(HttpResponse)> send_;
  Begin begin_;
};

}  // namespace trove::gateway
