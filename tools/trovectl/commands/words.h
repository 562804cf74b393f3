#pragma once

#include <string>

#include <absl/time/time.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "trove/v1/instance.pb.h"
#include "trove/v1/operation.pb.h"

namespace trove::trovectl {

/// How things are called on the terminal: `ACTIVE`, `HEALTHY` (empty: nothing can be said),
/// `RUNNING`, `DONE`.
std::string StatusWord(v1::Instance::Status status);
std::string OperatingWord(v1::Instance::OperatingStatus status);
std::string StateWord(v1::Operation::State state);
std::string StateWord(v1::Operation::Step::State state);

/// `2026-01-05 09:00:00 UTC`; empty for no time.
std::string TimeText(const google::protobuf::Timestamp& time);
absl::Time TimeOf(const google::protobuf::Timestamp& time);

/// `0.3 s`, `42 s`, `3 min 5 s`, `2 h 3 min`, `4 d 2 h`.
std::string DurationText(absl::Duration duration);
absl::Duration DurationOf(const google::protobuf::Duration& duration);

/// `2026-01-05 09:00:00 UTC (42 s ago)`; empty for no time.
std::string SinceText(const google::protobuf::Timestamp& time, absl::Time now);

}  // namespace trove::trovectl
