#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/time/time.h>

#include "libtrove/base/unique_fd.h"

namespace trove::gateway {

/// An answer as it stood on the wire.
struct RawResponse {
  int status = 0;      ///< 0: no answer
  std::string header;  ///< the status line and all headers
  std::string body;

  /// Value of a header, whatever its case; empty when there is none.
  std::string Header(std::string_view name) const;
};

/// A client that sends exactly the bytes it is told to, to a server on 127.0.0.1.
class RawClient {
 public:
  explicit RawClient(int port);

  bool connected() const { return static_cast<bool>(socket_); }

  /// False when the server has closed.
  bool Send(std::string_view bytes);

  /// The next answer; status 0 when the server closes or says nothing for `within`. `head` is what
  /// an answer to HEAD needs: no body is read.
  enum class Body { kRead, kNone };
  RawResponse Receive(Body body = Body::kRead, absl::Duration within = absl::Seconds(10));

  /// The next piece of a body that comes in chunks; nothing at its end, when the server closes, or
  /// when nothing comes within `within`.
  std::optional<std::string> ReceiveChunk(absl::Duration within = absl::Seconds(10));

  /// Everything that comes until the server closes, but nothing when it does not within `within`.
  std::string ReceiveAll(absl::Duration within = absl::Seconds(10));

  /// Whether the server closes the connection within `within`; what it sends is thrown away.
  bool Closed(absl::Duration within = absl::Seconds(10));

 private:
  // More bytes, into buffer_. False: closed, or nothing came in time.
  bool Read(absl::Time deadline);

  UniqueFd socket_;
  std::string buffer_;
  bool closed_ = false;
};

/// One event of a text/event-stream.
struct RawEvent {
  std::string id;
  std::string type;
  std::string data;
  std::string other;  ///< comments and other fields, as they came
};

/// Reads the events of an answer whose header has been received.
class EventReader {
 public:
  explicit EventReader(RawClient& client) : client_(client) {}

  /// The next event, comments alone being one too; nothing at the end or after `within`.
  std::optional<RawEvent> Next(absl::Duration within = absl::Seconds(10));

 private:
  RawClient& client_;
  std::string text_;
};

/// One request on a connection of its own.
RawResponse Exchange(int port, std::string_view request);

/// The same over TLS to a server whose certificate chains to `authority_pem`: everything that it
/// answers until it closes; empty when there is no connection.
std::string TlsExchange(int port, const std::string& authority_pem, std::string_view request);

}  // namespace trove::gateway
