#include "libtrove/base/backoff.h"

#include <algorithm>
#include <random>

namespace trove {

absl::Duration BackoffDelay(const BackoffPolicy& policy, int attempt) {
  absl::Duration whole = policy.first;
  for (int i = 0; i < attempt && whole < policy.most && whole > absl::ZeroDuration(); ++i)
    whole *= 2;
  whole = std::min(whole, policy.most);
  thread_local std::minstd_rand generator(std::random_device{}());
  return whole * std::uniform_real_distribution<double>(0.5, 1.0)(generator);
}

}  // namespace trove
