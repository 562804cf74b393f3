#include <fstream>
#include <string>

#include <absl/time/clock.h>
#include <catch2/catch.hpp>
#include <time.h>

#include "test/support/waiting_operations.h"

namespace trove::taskmanager {
namespace {

double ResidentMb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1000;
  return 0;
}

double CpuSeconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// In a process of its own, whose memory nobody else has used.
TEST_CASE("ten thousand operations that wait cost rows and nothing else",
          "[integration][taskmanager]") {
  WaitingOperations waiting;
  waiting.Begin(10'000);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(ResidentMb() <= 200);
#endif
  const double cpu = CpuSeconds();
  absl::SleepFor(absl::Seconds(3));  // how much nothing costs takes time to see
  CHECK(CpuSeconds() - cpu < 0.3);
  CHECK(waiting.EndOne());
}

}  // namespace
}  // namespace trove::taskmanager
