#include "services/gateway/http_stream.h"

#include <utility>

namespace trove::gateway {

StreamBuffer::StreamBuffer(StreamOptions options, std::size_t bound, std::function<void()> wake)
    : options_(std::move(options)), bound_(bound), wake_(std::move(wake)) {}

StreamBuffer::~StreamBuffer() {
  End(Rest::kDrop, "");
}

bool StreamBuffer::Write(std::string bytes) {
  {
    const MutexLock lock(mutex_);
    if (ended_) return false;
    if (queued_.size() + in_flight_ <= bound_) {
      queued_ += bytes;
      bytes.clear();
    }
  }
  if (!bytes.empty()) {
    End(Rest::kDrop, "");
    return false;
  }
  wake_();
  return true;
}

void StreamBuffer::WhenWritable(std::function<void()> callback) {
  {
    const MutexLock lock(mutex_);
    if (!ended_ && queued_.size() + in_flight_ > bound_ / 2) {
      when_writable_ = std::move(callback);
      return;
    }
  }
  callback();
}

void StreamBuffer::Close() {
  End(Rest::kSend, "");
}

StreamBuffer::Piece StreamBuffer::Take() {
  const MutexLock lock(mutex_);
  Piece piece{.bytes = std::exchange(queued_, {}), .last = ended_};
  in_flight_ = piece.bytes.size();
  return piece;
}

void StreamBuffer::Sent() {
  std::function<void()> writable;
  {
    const MutexLock lock(mutex_);
    in_flight_ = 0;
    if (queued_.size() <= bound_ / 2) writable = std::exchange(when_writable_, nullptr);
  }
  if (writable) writable();
}

void StreamBuffer::Drain() {
  End(Rest::kSend, options_.farewell);
}

void StreamBuffer::Abort() {
  End(Rest::kDrop, "");
}

void StreamBuffer::End(Rest rest, const std::string& last) {
  std::function<void()> writable;
  {
    const MutexLock lock(mutex_);
    if (rest == Rest::kDrop) queued_.clear();
    if (ended_) return;
    ended_ = true;
    queued_ += last;
    writable = std::exchange(when_writable_, nullptr);
  }
  if (options_.on_end) options_.on_end();
  if (writable) writable();
  wake_();
}

}  // namespace trove::gateway
