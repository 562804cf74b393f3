#pragma once

#include <absl/time/clock.h>
#include <absl/time/time.h>

namespace trove {

/// Tells the time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

/// The machine's own clock.
class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace trove
