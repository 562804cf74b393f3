#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>

namespace trove::keeper {

/// A moment of CLOCK_BOOTTIME: nanoseconds since the machine started, time asleep included. What
/// every wait of the keeper is measured by, and what the kernel dates processes by.
using BootTime = std::chrono::nanoseconds;

inline BootTime Now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

/// Unix time in milliseconds, for people and records only.
inline std::int64_t UnixMs() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace trove::keeper
