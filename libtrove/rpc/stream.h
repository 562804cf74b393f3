#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <grpcpp/support/server_callback.h>

#include "libtrove/base/call.h"
#include "libtrove/base/mutex.h"
#include "libtrove/rpc/status.h"

namespace trove::rpc {

struct StreamOptions {
  std::size_t buffer = 64;  ///< messages that may wait for the client, at least 1
};

/// The gRPC side of one server-streaming rpc: sends what the Stream buffers, one message at a time.
/// Thread-safe. Used through Stream.
template <typename Response>
class StreamState : public std::enable_shared_from_this<StreamState<Response>> {
 public:
  /// `stop` is set when the stream ends, however it does.
  StreamState(std::string request_id, std::stop_source stop, StreamOptions options)
      : request_id_(std::move(request_id)), stop_(std::move(stop)), options_(options) {}

  /// Makes the reactor for gRPC, and ends the stream when `draining` is set. Once.
  grpc::ServerWriteReactor<Response>* Start(std::stop_token draining) {
    auto* reactor = new Reactor(this->shared_from_this());
    {
      const MutexLock lock(mutex_);
      reactor_ = reactor;
    }
    const std::weak_ptr<StreamState> weak = this->weak_from_this();
    on_drain_.emplace(std::move(draining), [weak] {
      if (const auto state = weak.lock())
        state->Abort(absl::UnavailableError("the server is stopping: watch again"));
    });
    return reactor;
  }

  absl::Status TryWrite(Response response) {
    {
      const MutexLock lock(mutex_);
      if (closing_) return over_;
      if (buffer_.size() >= options_.buffer)
        return absl::ResourceExhaustedError("the client reads slower than this stream writes");
      buffer_.push_back(std::move(response));
    }
    Advance();
    return absl::OkStatus();
  }

  absl::Status Write(const Call& call, Response response) {
    const std::stop_callback wake(call.stop, [this] {
      // Under the lock, or the news could arrive between a look and the wait.
      const MutexLock lock(mutex_);
      room_.NotifyAll();
    });
    {
      const MutexLock lock(mutex_);
      room_.WaitUntil(mutex_, call.deadline, [&]() TROVE_REQUIRES(mutex_) {
        return closing_ || call.stop.stop_requested() || buffer_.size() < options_.buffer;
      });
      if (closing_) return over_;
      if (buffer_.size() >= options_.buffer) return call.Check();
      buffer_.push_back(std::move(response));
    }
    Advance();
    return absl::OkStatus();
  }

  void WhenWritable(std::function<void()> callback) {
    {
      const MutexLock lock(mutex_);
      if (!closing_ && buffer_.size() > options_.buffer / 2) {
        when_writable_ = std::move(callback);
        return;
      }
    }
    callback();
  }

  /// Sends what is buffered, then `status`.
  void Close(const absl::Status& status) {
    End(status, absl::FailedPreconditionError("the stream is closed"), /*discard=*/false);
  }

  /// Drops what is buffered and ends with `status`.
  void Abort(const absl::Status& status) { End(status, status, /*discard=*/true); }

 private:
  class Reactor final : public grpc::ServerWriteReactor<Response> {
   public:
    explicit Reactor(std::shared_ptr<StreamState> state) : state_(std::move(state)) {}
    void OnWriteDone(bool ok) override { state_->OnWritten(ok); }
    void OnCancel() override { state_->Abort(absl::CancelledError("the client has gone")); }
    void OnDone() override { delete this; }

   private:
    const std::shared_ptr<StreamState> state_;
  };

  void End(const absl::Status& status, const absl::Status& over, bool discard) {
    std::function<void()> writable;
    {
      const MutexLock lock(mutex_);
      discard_ |= discard;
      if (!closing_) {
        closing_ = true;
        final_ = status;
        over_ = over;
      }
      writable = std::exchange(when_writable_, nullptr);
    }
    stop_.request_stop();
    room_.NotifyAll();
    if (writable) writable();
    Advance();
  }

  void OnWritten(bool ok) {
    std::function<void()> writable;
    {
      const MutexLock lock(mutex_);
      writing_ = false;
      buffer_.pop_front();
      if (buffer_.size() <= options_.buffer / 2) writable = std::exchange(when_writable_, nullptr);
    }
    room_.NotifyAll();
    if (!ok) Abort(absl::CancelledError("the client has gone"));
    if (writable) writable();
    Advance();
  }

  // Starts the next write or the end, whichever is due. `writing_` and `finished_` see to it that
  // one thread at a time gets past the lock with something to do; the reactor lives until Finish.
  void Advance() {
    const Response* next = nullptr;
    Reactor* reactor = nullptr;
    absl::Status end;
    {
      const MutexLock lock(mutex_);
      if (writing_ || finished_ || reactor_ == nullptr) return;
      if (discard_) buffer_.clear();
      if (!buffer_.empty()) {
        writing_ = true;
        next = &buffer_.front();
      } else if (closing_) {
        finished_ = true;
        end = final_;
      } else {
        return;
      }
      reactor = reactor_;
    }
    if (next != nullptr) {
      reactor->StartWrite(next);
    } else {
      reactor->Finish(ToGrpc(end, request_id_));
    }
  }

  const std::string request_id_;
  std::stop_source stop_;
  const StreamOptions options_;
  std::optional<std::stop_callback<std::function<void()>>> on_drain_;

  Mutex mutex_;
  CondVar room_;
  Reactor* reactor_ TROVE_GUARDED_BY(mutex_) = nullptr;
  std::deque<Response> buffer_ TROVE_GUARDED_BY(mutex_);  // the front is being written
  bool writing_ TROVE_GUARDED_BY(mutex_) = false;
  bool closing_ TROVE_GUARDED_BY(mutex_) = false;
  bool discard_ TROVE_GUARDED_BY(mutex_) = false;
  bool finished_ TROVE_GUARDED_BY(mutex_) = false;
  absl::Status final_ TROVE_GUARDED_BY(mutex_);  // for the client
  absl::Status over_ TROVE_GUARDED_BY(mutex_);   // for who writes after the end
  std::function<void()> when_writable_ TROVE_GUARDED_BY(mutex_);
};

/// What a server-streaming handler writes to, from any thread; no thread is held while the client
/// reads. Copies share the one stream; when the last goes without Close, the client gets INTERNAL.
/// The stream ends by itself when the client leaves (CANCELLED) or the server drains (UNAVAILABLE):
/// the Call's stop token is set and writes fail. Thread-safe.
template <typename Response>
class Stream {
 public:
  /// Made by Streaming (handlers.h).
  explicit Stream(std::shared_ptr<StreamState<Response>> state)
      : owner_(std::make_shared<Owner>(std::move(state))) {}

  /// Buffers a message. Errors: kResourceExhausted: the buffer is full, see WhenWritable;
  /// kCancelled, kUnavailable: the stream has ended; kFailedPrecondition: Close was called.
  absl::Status TryWrite(Response response) const {
    return owner_->state->TryWrite(std::move(response));
  }

  /// The same, but waits for room: for a thread of the handler's own, never gRPC's. Errors: as
  /// TryWrite, and kDeadlineExceeded or kCancelled of `call`.
  absl::Status Write(const Call& call, Response response) const {
    return owner_->state->Write(call, std::move(response));
  }

  /// Calls `callback` once, when at least half of the buffer is free or the stream has ended: at
  /// once on this thread, or later on gRPC's. One callback waits at a time; a later one replaces
  /// it. It may hold a copy of this stream.
  void WhenWritable(std::function<void()> callback) const {
    owner_->state->WhenWritable(std::move(callback));
  }

  /// Ends the stream with `status` after what is buffered. Later calls do nothing.
  void Close(const absl::Status& status = absl::OkStatus()) const { owner_->state->Close(status); }

 private:
  struct Owner {
    explicit Owner(std::shared_ptr<StreamState<Response>> owned) : state(std::move(owned)) {}
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    ~Owner() { state->Close(absl::InternalError("the handler dropped its stream")); }

    const std::shared_ptr<StreamState<Response>> state;
  };

  std::shared_ptr<Owner> owner_;
};

}  // namespace trove::rpc
