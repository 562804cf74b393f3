#pragma once

#include <cstdint>

#include <absl/time/time.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

namespace trove::api {

inline constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

/// A time between the years 1678 and 2262.
inline void SetTime(absl::Time time, google::protobuf::Timestamp* message) {
  const std::int64_t nanos = absl::ToUnixNanos(time);
  message->set_seconds(nanos / kNanosPerSecond);
  message->set_nanos(static_cast<std::int32_t>(nanos % kNanosPerSecond));
}

/// A finite duration.
inline void SetDuration(absl::Duration duration, google::protobuf::Duration* message) {
  const std::int64_t nanos = absl::ToInt64Nanoseconds(duration);
  message->set_seconds(nanos / kNanosPerSecond);
  message->set_nanos(static_cast<std::int32_t>(nanos % kNanosPerSecond));
}

}  // namespace trove::api
