#include "libtrove/bus/pending_reply.h"

#include <stop_token>
#include <utility>

namespace trove {

void PendingReply::Complete(absl::StatusOr<std::string> answer) {
  {
    const MutexLock lock(mutex_);
    if (answer_.has_value()) return;
    answer_ = std::move(answer);
  }
  changed_.NotifyAll();
}

absl::StatusOr<std::string> PendingReply::Wait(const Call& call) {
  const std::stop_callback on_stop(
      call.stop, [this] { Complete(absl::CancelledError("the caller has gone")); });
  const MutexLock lock(mutex_);
  changed_.WaitUntil(
      mutex_, call.deadline, [this]() TROVE_REQUIRES(mutex_) { return answer_.has_value(); });
  if (!answer_.has_value()) return absl::DeadlineExceededError("no reply in time");
  return std::move(*answer_);
}

std::optional<absl::StatusOr<std::string>> PendingReply::Peek() const {
  const MutexLock lock(mutex_);
  return answer_;
}

}  // namespace trove
