#pragma once

#include <utility>
#include <vector>

#include "libtrove/base/status.h"
#include "services/taskmanager/workflow.h"

namespace trove::taskmanager {

/// The outcome of a call where no error is final: what only a person can mend may be mended
/// tomorrow.
inline Outcome Insist(const absl::Status& status, std::vector<Effect> effects = {}) {
  if (status.ok()) return Done{std::move(effects)};
  return RetryAfter{MessageOf(status), std::nullopt};
}

}  // namespace trove::taskmanager
