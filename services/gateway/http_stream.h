#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "libtrove/base/mutex.h"
#include "services/gateway/http_message.h"

namespace trove::gateway {

/// What lies between whoever writes an answer that goes on and the connection that sends it: a
/// bounded buffer. Knows nothing of sockets. Thread-safe.
class StreamBuffer final : public BodyStream {
 public:
  /// `wake` is called, on any thread, when there is something new to Take: it must not call back
  /// from inside. `bound` is in bytes: a write on top of that many ends the stream.
  StreamBuffer(StreamOptions options, std::size_t bound, std::function<void()> wake);
  ~StreamBuffer() override;

  bool Write(std::string bytes) override;
  void WhenWritable(std::function<void()> callback) override;
  void Close() override;

  /// What to send next, all of it.
  struct Piece {
    std::string bytes;
    bool last = false;  ///< nothing comes after it
  };

  /// The next piece; nothing is in it while there is nothing to send. For the connection.
  Piece Take();
  /// The piece taken was sent. For the connection.
  void Sent();
  /// Sends the farewell and ends the stream. For the connection.
  void Drain();
  /// Ends the stream at once: the client has gone. For the connection.
  void Abort();

  const StreamOptions& options() const { return options_; }

 private:
  enum class Rest { kSend, kDrop };
  // Ends the stream, once; the rest of what is queued is still sent, or not.
  void End(Rest rest, const std::string& last);

  const StreamOptions options_;
  const std::size_t bound_;
  const std::function<void()> wake_;
  Mutex mutex_;
  std::string queued_ TROVE_GUARDED_BY(mutex_);
  std::size_t in_flight_ TROVE_GUARDED_BY(mutex_) = 0;  // bytes taken and not yet sent
  bool ended_ TROVE_GUARDED_BY(mutex_) = false;
  std::function<void()> when_writable_ TROVE_GUARDED_BY(mutex_);
};

}  // namespace trove::gateway
