#pragma once

#include <absl/time/time.h>

namespace trove {

/// How long to wait before a retry: doubles from `first` up to `most`, with jitter.
struct BackoffPolicy {
  absl::Duration first = absl::Milliseconds(100);
  absl::Duration most = absl::Seconds(30);
};

/// The wait before attempt `attempt` (0 is the first retry): between half of and the whole of
/// min(first * 2^attempt, most), evenly spread.
absl::Duration BackoffDelay(const BackoffPolicy& policy, int attempt);

}  // namespace trove
