#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "libtrove/bus/bus.h"

namespace trove {

// What every Bus checks of its arguments before it does anything. All errors are kInvalidArgument.

/// For Publish, Request and a reply: `subject` is no pattern, the payload not too large.
absl::Status CheckMessage(const Subject& subject, std::string_view payload);

/// For PublishEvent.
absl::Status CheckEvent(const Subject& subject, std::string_view payload, const EventId& msg_id);

/// For Subscribe.
absl::Status CheckSubscription(const SubscribeOptions& options, const BusHandler& handler);

}  // namespace trove
