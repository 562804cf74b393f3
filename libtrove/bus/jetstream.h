#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace trove {

// The little of JetStream's wire language that events need (docs.nats.io, "JetStream wire API").
// Requests and answers are JSON.

/// The name of the stream that keeps events.
inline constexpr std::string_view kEventStream = "trove_events";

/// Where to ask for the stream to be made, or to be given another configuration.
inline constexpr std::string_view kMakeEventStream = "$JS.API.STREAM.CREATE.trove_events";
inline constexpr std::string_view kChangeEventStream = "$JS.API.STREAM.UPDATE.trove_events";

/// The stream as it should be; the payload of both.
std::string EventStreamConfig(int replicas);

/// What JetStream answered, to a change of the stream or to a message that it was to store: OK, or
/// kUnavailable: not now; kAlreadyExists: the stream is there with another configuration;
/// kInternal, with what it said; also when the answer is not JetStream's.
absl::Status ReadJetStreamAnswer(std::string_view json);

}  // namespace trove
