#include "services/api/events.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"

namespace trove::api {
namespace {

constexpr int kDefaultPageSize = 20;
constexpr std::size_t kLongestWord = 128;

bool IsWord(std::string_view text) {
  return !text.empty() && text.size() <= kLongestWord &&
         std::all_of(
             text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

absl::StatusOr<EventFilter> FilterOf(const Caller& caller,
                                     const std::string& subject,
                                     bool all_projects) {
  EventFilter filter;
  TROVE_ASSIGN_OR_RETURN(filter.project, ListScopeOf(caller, all_projects));
  if (subject.empty()) return filter;
  const std::size_t slash = subject.find('/');
  filter.resource = subject.substr(0, slash);
  if (slash != std::string::npos) filter.resource_id = subject.substr(slash + 1);
  const bool good =
      IsWord(filter.resource) && (slash == std::string::npos || IsWord(filter.resource_id));
  if (good) return filter;
  return FieldError("subject", "must be as instances/<id>, or as instances for all of them");
}

absl::Status CheckPosition(std::int64_t position) {
  if (position >= 0) return absl::OkStatus();
  return FieldError("after_position", "must be 0 or a position that an event had");
}

}  // namespace

absl::Status Events::List(const Call& call,
                          const Caller& caller,
                          const v1::ListEventsRequest& request,
                          v1::ListEventsResponse* response) {
  TROVE_RETURN_IF_ERROR(CheckPageSize("page_size", request.page_size()));
  TROVE_RETURN_IF_ERROR(CheckPosition(request.after_position()));
  const int size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  TROVE_ASSIGN_OR_RETURN(const EventFilter filter,
                         FilterOf(caller, request.subject(), request.all_projects()));
  TROVE_ASSIGN_OR_RETURN(const std::int64_t newest, store_.LastPosition(call));
  TROVE_ASSIGN_OR_RETURN(const std::vector<EventRecord> events,
                         store_.ReadEvents(call, filter, request.after_position(), size));
  for (const EventRecord& event : events)
    FillEvent(event, source_, response->add_events());
  std::int64_t next = events.empty() ? request.after_position() : events.back().position;
  response->set_newest_position(std::max(newest, next));
  // A page that is not full has looked at everything there was.
  if (events.size() < static_cast<std::size_t>(size)) next = std::max(next, newest);
  response->set_next_position(next);
  return absl::OkStatus();
}

void Events::Watch(const Call& call,
                   const Caller& caller,
                   const v1::WatchEventsRequest& request,
                   const rpc::Stream<v1::Event>& stream) {
  absl::StatusOr<EventFilter> filter = FilterOf(caller, request.subject(), request.all_projects());
  std::optional<std::int64_t> position;
  if (request.has_after_position()) position = request.after_position();
  if (const absl::Status bad = CheckPosition(position.value_or(0)); !bad.ok()) filter = bad;
  if (filter.ok()) {
    watcher_.Watch(call, *filter, position, stream);
  } else {
    stream.Close(filter.status());
  }
}

}  // namespace trove::api
