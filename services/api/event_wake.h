#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "libtrove/base/call.h"
#include "libtrove/bus/bus.h"
#include "services/api/event_watcher.h"
#include "services/api/operation_watcher.h"

namespace trove::api {

/// Wakes the watchers when the bus tells of an event, or is back after it was away. Lives no longer
/// than they do.
class EventWake {
 public:
  /// All must outlive this object. A subscription that the bus does not confirm is logged: the
  /// watchers look for themselves.
  EventWake(Bus& bus, OperationWatcher& operations, EventWatcher& events);

 private:
  OperationWatcher& operations_;
  EventWatcher& events_;
  std::unique_ptr<Subscription> on_event_;
  std::unique_ptr<Subscription> on_reconnect_;
};

}  // namespace trove::api
