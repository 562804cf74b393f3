#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>

#include "libtrove/base/mutex.h"
#include "libtrove/bus/bus.h"

namespace trove {

/// What stands between whoever delivers a message and the handler that acts on it: a bounded queue
/// and one thread of ours. Shared by the implementations of Bus. Thread-safe.
class Mailbox {
 public:
  /// Of `options` it uses the capacities, each at least 1, and the overflow.
  Mailbox(const SubscribeOptions& options, BusHandler handler);

  /// As Close.
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Queues a message; never waits for the handler. After Close it does nothing.
  void Deliver(BusMessage message) TROVE_EXCLUDES(mutex_);

  /// Drops what waits and returns when the handler has returned; it is not called any more and what
  /// it captured is gone. By one thread, which is not the handler's own.
  void Close() TROVE_EXCLUDES(mutex_);

  /// How many messages were dropped because the queue was full.
  std::uint64_t dropped() const TROVE_EXCLUDES(mutex_);

 private:
  void Run() TROVE_EXCLUDES(mutex_);
  bool HasRoomFor(const BusMessage& message) const TROVE_REQUIRES(mutex_);

  const std::size_t capacity_messages_;
  const std::size_t capacity_bytes_;
  const Overflow overflow_;
  BusHandler handler_;  // of the thread while it runs, then of Close
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<BusMessage> queue_ TROVE_GUARDED_BY(mutex_);
  std::size_t queued_bytes_ TROVE_GUARDED_BY(mutex_) = 0;
  std::uint64_t dropped_ TROVE_GUARDED_BY(mutex_) = 0;
  bool closed_ TROVE_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace trove
