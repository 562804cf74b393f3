#include "services/gateway/views/events.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "libtrove/base/status_macros.h"
#include "services/gateway/last_event_id.h"

namespace trove::gateway {
namespace {

constexpr std::int64_t kPageSize = 20;
constexpr std::int64_t kMaxPageSize = 100;

void Fill(const v1::Event& from, rest::v1::CloudEvent* to) {
  to->set_specversion("1.0");
  to->set_id(from.id());
  to->set_source(from.source());
  to->set_type(from.type());
  to->set_subject(from.subject());
  *to->mutable_time() = from.time();
  to->set_datacontenttype("application/json");
  to->set_projectid(from.project_id());
  to->set_resourceversion(std::to_string(from.resource_version()));
  to->set_position(std::to_string(from.position()));
  to->set_data(from.data().empty() ? "{}" : from.data());
}

// The header counts before the query: a client that connects again sends the same URL.
absl::StatusOr<std::optional<std::int64_t>> After(const rest::v1::WatchEventsRequest& document,
                                                  const Asked& asked) {
  TROVE_ASSIGN_OR_RETURN(std::optional<std::int64_t> after, LastEventId(asked));
  if (!after.has_value() && document.has_after()) after = document.after();
  return after;
}

}  // namespace

absl::StatusOr<v1::ListEventsRequest> ToListEvents(const rest::v1::ListEventsRequest& document,
                                                   const Asked&) {
  v1::ListEventsRequest request;
  request.set_after_position(document.after());
  request.set_subject(document.subject());
  request.set_all_projects(document.all_projects());
  const std::int64_t limit = document.has_limit() ? document.limit() : kPageSize;
  request.set_page_size(static_cast<std::int32_t>(std::min(limit, kMaxPageSize)));
  return request;
}

absl::StatusOr<v1::ListEventsRequest> ToCheckEvents(const rest::v1::WatchEventsRequest& document,
                                                    const Asked& asked) {
  v1::ListEventsRequest request;
  TROVE_ASSIGN_OR_RETURN(const std::optional<std::int64_t> after, After(document, asked));
  request.set_after_position(after.value_or(0));
  request.set_subject(document.subject());
  request.set_all_projects(document.all_projects());
  request.set_page_size(1);
  return request;
}

absl::StatusOr<v1::WatchEventsRequest> ToWatchEvents(const rest::v1::WatchEventsRequest& document,
                                                     const Asked& asked) {
  v1::WatchEventsRequest request;
  TROVE_ASSIGN_OR_RETURN(const std::optional<std::int64_t> after, After(document, asked));
  if (after.has_value()) request.set_after_position(*after);
  request.set_subject(document.subject());
  request.set_all_projects(document.all_projects());
  return request;
}

rest::v1::ListEventsResponse EventsView(const v1::ListEventsResponse& events, const Asked&) {
  rest::v1::ListEventsResponse document;
  for (const v1::Event& event : events.events())
    Fill(event, document.add_events());
  document.set_next(events.next_position());
  return document;
}

bool NothingToCome(const v1::ListEventsResponse&, const Asked&) {
  return false;
}

std::optional<SentEvent> CloudEventOf(const v1::Event& event, const Asked&) {
  const auto document = std::make_shared<rest::v1::CloudEvent>();
  Fill(event, document.get());
  return SentEvent{
      .id = std::to_string(event.position()), .type = event.type(), .document = document};
}

}  // namespace trove::gateway
