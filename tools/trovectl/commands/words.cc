#include "tools/trovectl/commands/words.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace trove::trovectl {
namespace {

// `STATUS_ACTIVE` → `ACTIVE`; empty for what this release does not know.
std::string Without(std::string_view prefix, const std::string& name) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

std::string Both(std::int64_t large, const char* of_large, std::int64_t small, const char* unit) {
  std::string text = std::to_string(large) + " " + of_large;
  if (small != 0) text += " " + std::to_string(small) + " " + unit;
  return text;
}

}  // namespace

std::string StatusWord(v1::Instance::Status status) {
  return Without("STATUS_", v1::Instance::Status_Name(status));
}

std::string OperatingWord(v1::Instance::OperatingStatus status) {
  if (status == v1::Instance::OPERATING_STATUS_UNSPECIFIED) return "";
  return Without("OPERATING_STATUS_", v1::Instance::OperatingStatus_Name(status));
}

std::string StateWord(v1::Operation::State state) {
  return Without("STATE_", v1::Operation::State_Name(state));
}

std::string StateWord(v1::Operation::Step::State state) {
  return Without("STATE_", v1::Operation::Step::State_Name(state));
}

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", TimeOf(time), absl::UTCTimeZone());
}

absl::Duration DurationOf(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string DurationText(absl::Duration duration) {
  duration = std::max(duration, absl::ZeroDuration());
  if (duration < absl::Seconds(9.95)) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f s", absl::ToDoubleSeconds(duration));
    return text;
  }
  const std::int64_t seconds = absl::ToInt64Seconds(duration + absl::Milliseconds(500));
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return Both(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 86'400) return Both(seconds / 3600, "h", seconds % 3600 / 60, "min");
  return Both(seconds / 86'400, "d", seconds % 86'400 / 3600, "h");
}

std::string SinceText(const google::protobuf::Timestamp& time, absl::Time now) {
  const std::string text = TimeText(time);
  return text.empty() ? "" : text + " (" + DurationText(now - TimeOf(time)) + " ago)";
}

}  // namespace trove::trovectl
