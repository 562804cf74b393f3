#include "services/api/event_watcher.h"

#include <algorithm>
#include <utility>

#include "libtrove/model/errors.h"
#include "services/api/times.h"

namespace trove::api {
namespace {

// How soon an event is seen that the bus did not tell of.
constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr absl::Duration kReadTime = absl::Seconds(5);
// For all followers at once, and for one that catches up.
constexpr int kSharedBatch = 256;
constexpr int kOwnBatch = 64;

bool Wants(const EventFilter& filter, const EventRecord& event) {
  return (!filter.project || *filter.project == event.project_id) &&
         (filter.resource.empty() || filter.resource == event.resource) &&
         (filter.resource_id.empty() || filter.resource_id == event.resource_id);
}

}  // namespace

void FillEvent(const EventRecord& record, const std::string& source, v1::Event* event) {
  event->set_id(record.id.value());
  event->set_source(source);
  event->set_type(record.type);
  event->set_subject(record.resource + "/" + record.resource_id);
  SetTime(record.at, event->mutable_time());
  event->set_project_id(record.project_id.value());
  event->set_resource_version(record.resource_version);
  event->set_position(record.position);
  event->set_data(record.data);
}

EventWatcher::EventWatcher(Store& store, std::string source)
    : store_(store),
      source_(std::move(source)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

EventWatcher::~EventWatcher() {
  thread_.request_stop();
  bell_->Ring();
}

void EventWatcher::Watch(const Call& call,
                         const EventFilter& filter,
                         const std::optional<std::int64_t>& position,
                         const rpc::Stream<v1::Event>& stream) {
  absl::StatusOr<std::int64_t> after = position.value_or(0);
  if (!position) after = store_.LastPosition(call.Within(kReadTime));
  if (!after.ok()) {
    stream.Close(after.status());
    return;
  }
  {
    const MutexLock lock(mutex_);
    if (count_ >= kMostWatches) {
      after = MakeError(Reason::kOverloaded,
                        "too many watches: list the events now and then instead",
                        {.retry_after = absl::Seconds(5)});
    } else {
      ++count_;
      arrived_.push_back({.call = call, .filter = filter, .position = *after, .stream = stream});
    }
  }
  if (!after.ok()) stream.Close(after.status());
  bell_->Ring();
}

void EventWatcher::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    bell_->Wait(absl::Now() + kLookEvery);
    Admit();
    DropEnded();
    while (!stop.stop_requested() && !watches_.empty() && Advance()) {
      Admit();
      DropEnded();
    }
    DropEnded();
  }
  Admit();
  for (Watched& watched : watches_)
    watched.stream.Close(absl::UnavailableError("the service is stopping: watch again"));
}

void EventWatcher::Admit() {
  const MutexLock lock(mutex_);
  watches_.splice(watches_.end(), arrived_);
}

void EventWatcher::DropEnded() {
  const std::size_t before = watches_.size();
  watches_.remove_if([](Watched& watched) {
    if (watched.over) return true;
    const absl::Status ended = watched.call.Check();
    if (!ended.ok()) watched.stream.Close(ended);
    return !ended.ok();
  });
  if (watches_.size() == before) return;
  const MutexLock lock(mutex_);
  count_ -= before - watches_.size();
}

bool EventWatcher::Advance() {
  const absl::StatusOr<std::int64_t> newest = store_.LastPosition(CallFor(kReadTime));
  if (!newest.ok()) return false;  // the store is back soon
  bool more = FeedFollowers(*newest);
  for (Watched& watched : watches_) {
    if (!watched.over && watched.position != tail_ && watched.writable->load())
      more |= CatchUp(watched, *newest);
  }
  return more;
}

bool EventWatcher::FeedFollowers(std::int64_t newest) {
  if (newest <= tail_) return false;
  const auto follows = [this](const Watched& watched) {
    return !watched.over && watched.position == tail_;
  };
  if (std::none_of(watches_.begin(), watches_.end(), follows)) {
    tail_ = newest;
    return false;
  }
  const auto events = store_.ReadEvents(CallFor(kReadTime), {}, tail_, kSharedBatch);
  if (!events.ok()) {
    // Forgotten since: each follower finds that for itself.
    if (absl::IsOutOfRange(events.status())) tail_ = newest;
    return false;
  }
  if (events->empty()) return false;
  std::vector<Watched*> followers;
  for (Watched& watched : watches_)
    if (follows(watched)) followers.push_back(&watched);
  for (Watched* follower : followers)
    Offer(*follower, *events);
  tail_ = events->back().position;
  return tail_ < newest;
}

bool EventWatcher::CatchUp(Watched& watched, std::int64_t newest) {
  const auto events =
      store_.ReadEvents(CallFor(kReadTime), watched.filter, watched.position, kOwnBatch);
  if (!events.ok()) {
    if (absl::IsUnavailable(events.status()) || absl::IsDeadlineExceeded(events.status()))
      return false;
    watched.stream.Close(events.status());
    watched.over = true;
    return false;
  }
  Offer(watched, *events);
  if (watched.over || !watched.writable->load()) return false;
  if (events->size() == static_cast<std::size_t>(kOwnBatch)) return true;
  // It has been given everything up to what was newest before this was read.
  watched.position = std::max(watched.position, newest);
  return false;
}

void EventWatcher::Offer(Watched& watched, const std::vector<EventRecord>& events) {
  for (const EventRecord& event : events) {
    if (event.position <= watched.position) continue;
    if (Wants(watched.filter, event)) {
      v1::Event message;
      FillEvent(event, source_, &message);
      const absl::Status written = watched.stream.TryWrite(std::move(message));
      if (absl::IsResourceExhausted(written)) {
        watched.writable->store(false);
        watched.stream.WhenWritable([writable = watched.writable, bell = bell_] {
          writable->store(true);
          bell->Ring();
        });
        return;
      }
      watched.over = !written.ok();
      if (watched.over) return;
    }
    watched.position = event.position;
  }
}

}  // namespace trove::api
