#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>

#include "trove/v1/event.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/rpc/stream.h"
#include "libtrove/store/store.h"
#include "services/api/bell.h"

namespace trove::api {

/// Feeds every stream that watches events, from one thread. Streams that have all there is are fed
/// from one read of what is new; one whose client reads slowly keeps its own position, and is read
/// for alone until it has caught up: it delays nobody. Thread-safe.
class EventWatcher {
 public:
  /// `store` must outlive this object. `source` is what every event says of where it is from.
  EventWatcher(Store& store, std::string source);
  ~EventWatcher();

  /// More watches than this at a time are refused.
  static constexpr std::size_t kMostWatches = 1000;

  /// Sends the events after `position` (absent: those from now on), each once and in order, until
  /// the stream ends. Errors (by `stream`): kEventsGone; kOverloaded: too many watches.
  void Watch(const Call& call,
             const EventFilter& filter,
             const std::optional<std::int64_t>& position,
             const rpc::Stream<v1::Event>& stream) TROVE_EXCLUDES(mutex_);

  /// There may be new events; without it they are seen within a second.
  void Wake() { bell_->Ring(); }

 private:
  struct Watched {
    Call call;
    EventFilter filter;
    std::int64_t position;  // of the last event that was sent or passed over
    rpc::Stream<v1::Event> stream;
    std::shared_ptr<std::atomic<bool>> writable = std::make_shared<std::atomic<bool>>(true);
    bool over = false;
  };

  void Run(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  void Admit() TROVE_EXCLUDES(mutex_);
  void DropEnded() TROVE_EXCLUDES(mutex_);
  // One look at the store. Whether there may be more to do at once.
  bool Advance();
  bool FeedFollowers(std::int64_t newest);
  bool CatchUp(Watched& watched, std::int64_t newest);
  void Offer(Watched& watched, const std::vector<EventRecord>& events);

  Store& store_;
  const std::string source_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  std::list<Watched> watches_;  // the thread's own, as is tail_
  std::int64_t tail_ = 0;       // what followers have been fed up to
  Mutex mutex_;
  std::list<Watched> arrived_ TROVE_GUARDED_BY(mutex_);
  std::size_t count_ TROVE_GUARDED_BY(mutex_) = 0;
  std::jthread thread_;
};

/// An event as whoever may read it sees it.
void FillEvent(const EventRecord& record, const std::string& source, v1::Event* event);

}  // namespace trove::api
