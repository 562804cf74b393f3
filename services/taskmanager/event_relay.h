#pragma once

#include <stop_token>
#include <string>
#include <thread>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/bus/bus.h"
#include "libtrove/store/store.h"
#include "services/taskmanager/worker_lease.h"

namespace trove::taskmanager {

/// Publishes the store's events on the bus, in the order in which they were committed. One relay of
/// all task managers does it at a time (the lease `events`). An event is marked only when the
/// stream has it, so that nothing is lost while the bus is away, and its id keeps a repeated one
/// single. Thread-safe.
class EventRelay {
 public:
  struct Options {
    std::string source;  ///< of the events: `/trove/<mesh id>`
    absl::Duration look_every = absl::Milliseconds(250);
    /// Between two looks while there is something: what is published together costs the store once.
    absl::Duration gather = absl::Milliseconds(20);
    absl::Duration lease = absl::Seconds(5);
    int batch = 500;
  };

  /// The seams must outlive this object; begins at once.
  EventRelay(Store& store, Bus& bus, WorkerLease& worker, Options options);
  ~EventRelay();
  EventRelay(const EventRelay&) = delete;
  EventRelay& operator=(const EventRelay&) = delete;

  /// There may be new events: look now. Never waits.
  void Wake() TROVE_EXCLUDES(mutex_);

  /// Stops; what is not published yet is published by the next one. May be called again.
  void Stop();

 private:
  void Run(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  // How many were published; 0 as well when another relay does it.
  absl::StatusOr<int> RelayOnce(const std::stop_token& stop);
  absl::Status Publish(const std::stop_token& stop, const EventRecord& event);

  Store& store_;
  Bus& bus_;
  WorkerLease& worker_;
  const Options options_;
  const Log log_;
  bool stream_made_ = false;  // of this thread alone
  WorkerId holder_;           // whose the lease was when it was last taken
  absl::Time held_until_ = absl::InfinitePast();
  Mutex mutex_;
  CondVar changed_;
  bool look_now_ TROVE_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace trove::taskmanager
