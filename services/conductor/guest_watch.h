#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/clock.h"
#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/bus/bus.h"
#include "libtrove/store/store.h"

namespace trove::conductor {

struct GuestWatchStatus {
  std::vector<int> shards;
  std::int64_t guests_heard = 0;
  std::int64_t heartbeats = 0;
  bool judging = false;
};

/// Hears every heartbeat, writes what changed of the guests in its shards, in batches, and turns
/// silence into a stored fact. The store hears nothing of a heartbeat that says nothing new.
///
/// All conductors hear all guests, so that one that takes over a shard knows it already. One that
/// has just started, or had lost the bus, judges nobody until it has listened for one whole expiry.
/// Thread-safe.
class GuestWatch {
 public:
  /// All must outlive this object. `worker` is registered and renewed by this object.
  GuestWatch(
      Store& store, Bus& bus, const Clock& clock, WorkerId worker, absl::Duration expiry, Log log);
  ~GuestWatch();

  absl::Status Start(const Call& call);

  /// One heartbeat, as it came from the bus.
  void Hear(const Subject& subject, const std::string& payload) TROVE_EXCLUDES(mutex_);

  GuestWatchStatus status() const TROVE_EXCLUDES(mutex_);

 private:
  struct Known {
    absl::Time heard = absl::InfinitePast();  ///< past: never by this process
    mesh::v1::Heartbeat last;                 ///< as heard; its sequence and incarnation order it
    bool unwritten = false;  ///< `last` says something that the store has not heard
    std::int64_t written_volume = -1;
    bool silent = false;  ///< the store says so
  };

  void Listen(const BusMessage& message);
  void RunWrites(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  void RunJudgement(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  std::vector<GuestObservation> TakeUnwritten() TROVE_EXCLUDES(mutex_);
  void PutBack(const std::vector<GuestObservation>& observations) TROVE_EXCLUDES(mutex_);
  void HoldShards(const Call& call) TROVE_EXCLUDES(mutex_);
  void JudgeSilence(const Call& call) TROVE_EXCLUDES(mutex_);

  Store& store_;
  Bus& bus_;
  const Clock& clock_;
  WorkerId worker_;
  const absl::Duration expiry_;
  const Log log_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::unordered_map<std::string, Known> guests_ TROVE_GUARDED_BY(mutex_);
  std::vector<std::string> unwritten_ TROVE_GUARDED_BY(mutex_);
  std::array<bool, 64> shards_ TROVE_GUARDED_BY(mutex_) = {};
  absl::Time listening_since_ TROVE_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::int64_t heartbeats_ TROVE_GUARDED_BY(mutex_) = 0;

  std::unique_ptr<Subscription> heartbeat_subscription_;
  std::jthread writes_;
  std::jthread judgement_;
};

}  // namespace trove::conductor
