#pragma once

#include <algorithm>
#include <stop_token>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

namespace trove {

/// What a blocking function must know about its caller. Passed first, by const reference; there is
/// no other way to pass a timeout, and nothing blocks without one.
struct Call {
  absl::Time deadline;     ///< absolute, on this machine's clock
  std::stop_token stop;    ///< set when the caller left or the process is stopping
  std::string request_id;  ///< for logs; survives the hop to another service

  /// kCancelled or kDeadlineExceeded when there is no point in starting, OK otherwise.
  absl::Status Check() const {
    if (stop.stop_requested()) return absl::CancelledError("the caller has gone");
    if (deadline <= absl::Now()) return absl::DeadlineExceededError("the deadline has passed");
    return absl::OkStatus();
  }

  /// Time left, never negative.
  absl::Duration Remaining() const {
    return std::max(absl::ZeroDuration(), deadline - absl::Now());
  }

  /// The same call, ending no later than `timeout` from now.
  Call Within(absl::Duration timeout) const {
    Call sooner = *this;
    sooner.deadline = std::min(deadline, absl::Now() + timeout);
    return sooner;
  }
};

/// A call of our own making that ends `timeout` from now.
inline Call CallFor(absl::Duration timeout,
                    std::stop_token stop = {},
                    std::string request_id = {}) {
  return {absl::Now() + timeout, std::move(stop), std::move(request_id)};
}

}  // namespace trove
