// What one task manager does, on a store of its own, without doors, hosts or databases:
//
//   trove-bench-engine throughput create|restart SECONDS CHAINS THREADS   operations per second
//   trove-bench-engine waiting COUNT SECONDS                      what waiting operations cost
//   trove-bench-engine takeover KILLS                             after kill -9 of one of two
//
// Prints JSON.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "libtrove/base/log.h"
#include "test/bench/engine_bench.h"

namespace {

int Usage() {
  std::fprintf(stderr,
               "usage: trove-bench-engine throughput create|restart SECONDS CHAINS THREADS\n"
               "       trove-bench-engine waiting COUNT SECONDS\n"
               "       trove-bench-engine takeover KILLS\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace trove::taskmanager;
  const std::string what = argc > 1 ? argv[1] : "";
  const auto number = [&](int place) {
    return std::atoi(argv[place]);
  };
  trove::StartLogging("bench", trove::LogLevel::kError);
  if (what == "throughput" && argc == 6)
    return MeasureThroughput(
        std::string(argv[2]) == "restart", absl::Seconds(number(3)), number(4), number(5));
  if (what == "waiting" && argc == 4) return MeasureWaiting(number(2), absl::Seconds(number(3)));
  if (what == "takeover" && argc == 3) return MeasureTakeover(argv[0], number(2));
  if (what == "worker" && argc == 4) return RunTakeoverWorker(argv[2], argv[3]);
  return Usage();
}
