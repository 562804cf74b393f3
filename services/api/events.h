#pragma once

#include <string>
#include <utility>

#include <absl/status/status.h>

#include "trove/v1/event.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/rpc/stream.h"
#include "libtrove/store/store.h"
#include "services/api/event_watcher.h"
#include "services/api/policy.h"

namespace trove::api {

/// What changed. Thread-safe.
class Events {
 public:
  /// All must outlive this object. `source`: as of EventWatcher.
  Events(Store& store, EventWatcher& watcher, std::string source)
      : store_(store), watcher_(watcher), source_(std::move(source)) {}

  absl::Status List(const Call& call,
                    const Caller& caller,
                    const v1::ListEventsRequest& request,
                    v1::ListEventsResponse* response);
  void Watch(const Call& call,
             const Caller& caller,
             const v1::WatchEventsRequest& request,
             const rpc::Stream<v1::Event>& stream);

 private:
  Store& store_;
  EventWatcher& watcher_;
  const std::string source_;
};

}  // namespace trove::api
