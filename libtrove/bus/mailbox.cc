#include "libtrove/bus/mailbox.h"

#include <utility>

#include <absl/time/clock.h>
#include <pthread.h>

#include "libtrove/base/check.h"

namespace trove {

Mailbox::Mailbox(const SubscribeOptions& options, BusHandler handler)
    : capacity_messages_(options.capacity_messages),
      capacity_bytes_(options.capacity_bytes),
      overflow_(options.overflow),
      handler_(std::move(handler)),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "bus-handler");
}

Mailbox::~Mailbox() {
  Close();
}

bool Mailbox::HasRoomFor(const BusMessage& message) const {
  // A message larger than the whole capacity still fits into an empty queue.
  return queue_.size() < capacity_messages_ &&
         (queue_.empty() || queued_bytes_ + message.payload.size() <= capacity_bytes_);
}

void Mailbox::Deliver(BusMessage message) {
  // What is dropped dies after the lock: a reply in it may own a good deal.
  std::deque<BusMessage> outdated;
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    while (overflow_ == Overflow::kDropOldest && !HasRoomFor(message)) {
      queued_bytes_ -= queue_.front().payload.size();
      outdated.push_back(std::move(queue_.front()));
      queue_.pop_front();
      ++dropped_;
    }
    if (!HasRoomFor(message)) {
      ++dropped_;
      return;
    }
    queued_bytes_ += message.payload.size();
    queue_.push_back(std::move(message));
  }
  changed_.NotifyOne();
}

void Mailbox::Close() {
  std::deque<BusMessage> unheard;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    unheard.swap(queue_);
    queued_bytes_ = 0;
  }
  changed_.NotifyAll();
  TROVE_CHECK(std::this_thread::get_id() != thread_.get_id());
  if (thread_.joinable()) thread_.join();
  handler_ = nullptr;
}

std::uint64_t Mailbox::dropped() const {
  const MutexLock lock(mutex_);
  return dropped_;
}

void Mailbox::Run() {
  while (true) {
    BusMessage message{Subject::Received({}), {}, nullptr};
    {
      const MutexLock lock(mutex_);
      // Bounded only so that a lost wake-up could never hang it; the loop waits again.
      changed_.WaitUntil(mutex_, absl::Now() + absl::Minutes(1), [this]() TROVE_REQUIRES(mutex_) {
        return closed_ || !queue_.empty();
      });
      if (closed_) return;
      if (queue_.empty()) continue;
      message = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= message.payload.size();
    }
    handler_(std::move(message));
  }
}

}  // namespace trove
