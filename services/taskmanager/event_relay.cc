#include "services/taskmanager/event_relay.h"

#include <memory>
#include <utility>
#include <vector>

#include <google/protobuf/util/time_util.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/backoff.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "services/taskmanager/pause.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kStoreTime = absl::Seconds(5);
constexpr absl::Duration kPublishTime = absl::Seconds(5);
constexpr BackoffPolicy kBackoff = {absl::Milliseconds(200), absl::Seconds(5)};

mesh::v1::Event MessageFor(const EventRecord& record, const std::string& source) {
  mesh::v1::Event event;
  event.set_id(record.id.value());
  event.set_source(source);
  event.set_type(record.type);
  event.set_subject(record.resource + "/" + record.resource_id);
  *event.mutable_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(record.at));
  event.set_project_id(record.project_id.value());
  event.set_resource_version(record.resource_version);
  event.set_position(record.position);
  event.set_data(record.data);
  return event;
}

}  // namespace

EventRelay::EventRelay(Store& store, Bus& bus, WorkerLease& worker, Options options)
    : store_(store),
      bus_(bus),
      worker_(worker),
      options_(std::move(options)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

EventRelay::~EventRelay() {
  Stop();
}

void EventRelay::Wake() {
  const MutexLock lock(mutex_);
  look_now_ = true;
  changed_.NotifyAll();
}

void EventRelay::Stop() {
  thread_.request_stop();
  {
    const MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void EventRelay::Run(const std::stop_token& stop) {
  int failures = 0;
  while (!stop.stop_requested()) {
    const auto relayed = RelayOnce(stop);
    if (stop.stop_requested()) return;
    if (!relayed.ok()) {
      if (failures == 0) log_.Warning("events wait", {{"error", relayed.status()}});
      Pause(stop, BackoffDelay(kBackoff, failures++));
      continue;
    }
    if (failures > 0) log_.Info("events flow again", {});
    failures = 0;
    if (*relayed >= options_.batch) continue;
    if (*relayed > 0) {
      Pause(stop, options_.gather);
      continue;
    }
    const MutexLock lock(mutex_);
    changed_.WaitUntil(
        mutex_, absl::Now() + options_.look_every, [&]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
          return stop.stop_requested() || look_now_;
        });
    look_now_ = false;
  }
}

absl::StatusOr<int> EventRelay::RelayOnce(const std::stop_token& stop) {
  const std::shared_ptr<const WorkerTerm> term = worker_.Current();
  if (term == nullptr) return 0;
  const Call call = CallFor(kStoreTime, stop, "event relay");
  // Renewed when half of it is over.
  const absl::Time now = absl::Now();
  if (holder_ != term->id || now > held_until_ - options_.lease / 2) {
    TROVE_ASSIGN_OR_RETURN(const bool held,
                           store_.HoldLease(call, "events", term->id, options_.lease));
    if (!held) {
      // Another one does it: no need to ask as often as for events.
      Pause(stop, options_.lease / 5);
      return 0;
    }
    holder_ = term->id;
    held_until_ = now + options_.lease;
  }
  auto events = store_.StampEvents(call, term->id, options_.batch);
  if (absl::IsAborted(events.status())) {
    holder_ = WorkerId();
    return 0;
  }
  TROVE_RETURN_IF_ERROR(events.status());
  if (events->empty()) return 0;
  if (!stream_made_) {
    TROVE_RETURN_IF_ERROR(bus_.EnsureEventStream(CallFor(kPublishTime, stop, "event relay")));
    stream_made_ = true;
  }
  absl::Status published;
  std::int64_t position = 0;
  for (const EventRecord& event : *events) {
    published = Publish(stop, event);
    if (!published.ok()) break;
    position = event.position;
  }
  if (position > 0) {
    const absl::Status marked =
        store_.MarkPublished(CallFor(kStoreTime, stop, "event relay"), term->id, position);
    if (!marked.ok() && !absl::IsAborted(marked)) return marked;
  }
  TROVE_RETURN_IF_ERROR(published);
  return static_cast<int>(events->size());
}

absl::Status EventRelay::Publish(const std::stop_token& stop, const EventRecord& event) {
  const auto subject = EventSubject(event.project_id, event.resource, event.resource_id);
  absl::Status published =
      subject.ok() ? bus_.PublishEvent(CallFor(kPublishTime, stop, "event relay"),
                                       *subject,
                                       MessageFor(event, options_.source).SerializeAsString(),
                                       event.id)
                   : subject.status();
  if (absl::IsInvalidArgument(published)) {
    // It will never go, and those behind it must: watchers read it from the store.
    log_.Error("an event cannot be published", {{"event", event.id.value()}, {"error", published}});
    return absl::OkStatus();
  }
  if (absl::IsUnavailable(published)) stream_made_ = false;  // a new server may have none
  return Annotate(published, "publish event " + event.id.value());
}

}  // namespace trove::taskmanager
