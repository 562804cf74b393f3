#include <cstdio>

#include <absl/time/clock.h>

#include "test/bench/engine_bench.h"
#include "test/support/waiting_operations.h"

namespace trove::taskmanager {

int MeasureWaiting(int count, absl::Duration length) {
  WaitingOperations waiting;
  const double empty = ResidentMb();
  waiting.Begin(count);
  const double cpu = CpuSeconds();
  absl::SleepFor(length);
  std::printf("{\"waiting\": %d, \"rss_mb\": %.1f, \"rss_mb_before\": %.1f, \"cpu_share\": %.5f}\n",
              count,
              ResidentMb(),
              empty,
              (CpuSeconds() - cpu) / absl::ToDoubleSeconds(length));
  return waiting.EndOne() ? 0 : 1;
}

}  // namespace trove::taskmanager
