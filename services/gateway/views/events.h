#pragma once

#include <optional>

#include <absl/status/statusor.h>

#include "trove/rest/v1/event.pb.h"
#include "trove/v1/event.pb.h"

#include "services/gateway/asked.h"
#include "services/gateway/sent_event.h"

namespace trove::gateway {

absl::StatusOr<v1::ListEventsRequest> ToListEvents(const rest::v1::ListEventsRequest& document,
                                                   const Asked& asked);

/// The list that is refused when the watch would be: its first event only.
/// Errors: kInvalidField: a Last-Event-ID that is no position.
absl::StatusOr<v1::ListEventsRequest> ToCheckEvents(const rest::v1::WatchEventsRequest& document,
                                                    const Asked& asked);
absl::StatusOr<v1::WatchEventsRequest> ToWatchEvents(const rest::v1::WatchEventsRequest& document,
                                                     const Asked& asked);

rest::v1::ListEventsResponse EventsView(const v1::ListEventsResponse& events, const Asked& asked);

/// Never: there is always something to come.
bool NothingToCome(const v1::ListEventsResponse& events, const Asked& asked);

/// One event as CloudEvents has it.
std::optional<SentEvent> CloudEventOf(const v1::Event& event, const Asked& asked);

}  // namespace trove::gateway
