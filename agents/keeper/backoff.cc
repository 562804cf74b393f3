#include "agents/keeper/backoff.h"

#include <algorithm>

namespace trove::keeper {

std::chrono::milliseconds RestartBackoff::After(std::chrono::nanoseconds lived) {
  if (lived >= stable_) next_ = initial_;
  const std::chrono::milliseconds wait = std::min(next_, most_);
  next_ = std::min(std::max(next_, std::chrono::milliseconds(1)) * 2, most_);
  return wait;
}

}  // namespace trove::keeper
