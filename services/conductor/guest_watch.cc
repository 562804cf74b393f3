#include "services/conductor/guest_watch.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/bus/subject.h"
#include "services/conductor/wake.h"

namespace trove::conductor {
namespace {

constexpr absl::Duration kLease = absl::Seconds(3);
constexpr absl::Duration kJudgeEach = absl::Milliseconds(500);
constexpr absl::Duration kWriteLimit = absl::Seconds(5);
constexpr absl::Duration kWriteAgain = absl::Milliseconds(500);
constexpr std::size_t kMostInBatch = 500;
// A summary of the volume is worth a write when it moved by this much.
constexpr std::int64_t kVolumeStep = std::int64_t{64} << 20;

ServiceStatus ServiceOf(mesh::v1::ServerStatus status) {
  switch (status) {
    case mesh::v1::SERVER_STATUS_NEW:
      return ServiceStatus::kNew;
    case mesh::v1::SERVER_STATUS_BUILDING:
      return ServiceStatus::kBuilding;
    case mesh::v1::SERVER_STATUS_RUNNING:
      return ServiceStatus::kRunning;
    case mesh::v1::SERVER_STATUS_HEALTHY:
      return ServiceStatus::kHealthy;
    case mesh::v1::SERVER_STATUS_SHUTDOWN:
      return ServiceStatus::kShutdown;
    case mesh::v1::SERVER_STATUS_CRASHED:
      return ServiceStatus::kCrashed;
    case mesh::v1::SERVER_STATUS_BLOCKED:
      return ServiceStatus::kBlocked;
    case mesh::v1::SERVER_STATUS_RESTARTING:
      return ServiceStatus::kRestarting;
    case mesh::v1::SERVER_STATUS_FAILED:
      return ServiceStatus::kFailed;
    default:
      return ServiceStatus::kUnknown;
  }
}

GuestObservation ObservationOf(const mesh::v1::Heartbeat& heartbeat) {
  return {.guest_id = GuestId(heartbeat.guest_id()),
          .incarnation = heartbeat.incarnation(),
          .sequence = heartbeat.sequence(),
          .generation = heartbeat.generation(),
          .service = ServiceOf(heartbeat.status()),
          .role = heartbeat.role(),
          .term = heartbeat.term(),
          .agent_api = heartbeat.agent_api(),
          .running_version = heartbeat.running_version(),
          .volume_used_bytes = heartbeat.volume_used_bytes(),
          .message = heartbeat.message()};
}

bool IsOlder(const mesh::v1::Heartbeat& a, const mesh::v1::Heartbeat& b) {
  return std::pair(a.incarnation(), a.sequence()) <= std::pair(b.incarnation(), b.sequence());
}

bool SaysSomethingNew(const mesh::v1::Heartbeat& now, const mesh::v1::Heartbeat& before) {
  return now.incarnation() != before.incarnation() || now.status() != before.status() ||
         now.role() != before.role() || now.term() != before.term() ||
         now.agent_api() != before.agent_api() ||
         now.running_version() != before.running_version() || now.message() != before.message();
}

}  // namespace

GuestWatch::GuestWatch(
    Store& store, Bus& bus, const Clock& clock, WorkerId worker, absl::Duration expiry, Log log)
    : store_(store),
      bus_(bus),
      clock_(clock),
      worker_(std::move(worker)),
      expiry_(expiry),
      log_(std::move(log)) {}

GuestWatch::~GuestWatch() {
  heartbeat_subscription_.reset();
  writes_.request_stop();
  judgement_.request_stop();
  changed_.NotifyAll();
}

absl::Status GuestWatch::Start(const Call& call) {
  SubscribeOptions options;
  options.capacity_messages = 65'536;
  options.overflow = Overflow::kDropOldest;
  TROVE_ASSIGN_OR_RETURN(
      heartbeat_subscription_,
      bus_.Subscribe(call, AnyHeartbeatSubject(), options, [this](const BusMessage& message) {
        Hear(message.subject, message.payload);
      }));
  writes_ = std::jthread([this](const std::stop_token& stop) { RunWrites(stop); });
  judgement_ = std::jthread([this](const std::stop_token& stop) { RunJudgement(stop); });
  return absl::OkStatus();
}

void GuestWatch::Hear(const Subject& subject, const std::string& payload) {
  const absl::StatusOr<GuestId> sender = GuestOf(subject);
  mesh::v1::Heartbeat heartbeat;
  // The bus lets a guest send under its own subject alone, so the subject says who it is.
  if (!sender.ok() || !heartbeat.ParseFromString(payload) ||
      heartbeat.guest_id() != sender->value()) {
    return;
  }
  const absl::Time now = clock_.Now();
  bool wake = false;
  {
    const MutexLock lock(mutex_);
    ++heartbeats_;
    Known& known = guests_[sender->value()];
    if (IsOlder(heartbeat, known.last)) return;
    known.heard = now;
    const bool fresh = known.silent || SaysSomethingNew(heartbeat, known.last) ||
                       std::abs(heartbeat.volume_used_bytes() - known.written_volume) > kVolumeStep;
    known.last = std::move(heartbeat);
    if (fresh && !known.unwritten) {
      known.unwritten = true;
      unwritten_.push_back(sender->value());
      wake = true;
    }
  }
  if (wake) changed_.NotifyAll();
}

GuestWatchStatus GuestWatch::status() const {
  const absl::Time now = clock_.Now();
  const MutexLock lock(mutex_);
  GuestWatchStatus status;
  for (int shard = 0; shard < 64; ++shard) {
    if (shards_[static_cast<std::size_t>(shard)]) status.shards.push_back(shard);
  }
  for (const auto& [id, known] : guests_) {
    if (now - known.heard < expiry_) ++status.guests_heard;
  }
  status.heartbeats = heartbeats_;
  status.judging = now - listening_since_ > expiry_;
  return status;
}

std::vector<GuestObservation> GuestWatch::TakeUnwritten() {
  const MutexLock lock(mutex_);
  std::vector<GuestObservation> observations;
  std::vector<std::string> others;
  for (std::string& id : unwritten_) {
    Known& known = guests_[id];
    const auto shard = static_cast<std::size_t>(ShardOf(GuestId(id)));
    if (!shards_[shard]) {
      // Somebody else's to write; kept, should the shard become ours before it has.
      others.push_back(std::move(id));
      continue;
    }
    if (observations.size() >= kMostInBatch) {
      others.push_back(std::move(id));
      continue;
    }
    known.unwritten = false;
    known.silent = false;
    known.written_volume = known.last.volume_used_bytes();
    observations.push_back(ObservationOf(known.last));
  }
  unwritten_ = std::move(others);
  return observations;
}

void GuestWatch::PutBack(const std::vector<GuestObservation>& observations) {
  const MutexLock lock(mutex_);
  for (const GuestObservation& observation : observations) {
    Known& known = guests_[observation.guest_id.value()];
    if (known.unwritten) continue;
    known.unwritten = true;
    unwritten_.push_back(observation.guest_id.value());
  }
}

void GuestWatch::RunWrites(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const std::vector<GuestObservation> observations = TakeUnwritten();
    if (observations.empty()) {
      const MutexLock lock(mutex_);
      const std::size_t kept = unwritten_.size();
      changed_.WaitUntil(mutex_, absl::Now() + absl::Seconds(1), [&] {
        return stop.stop_requested() || unwritten_.size() > kept;
      });
      continue;
    }
    const Call call = CallFor(kWriteLimit, stop);
    const absl::StatusOr<std::vector<OperationId>> due =
        store_.RecordObservations(call, observations);
    if (!due.ok()) {
      log_.Warning("the words of guests are not written", {{"error", due.status()}});
      PutBack(observations);
      const MutexLock lock(mutex_);
      changed_.WaitUntil(mutex_, absl::Now() + kWriteAgain, [&] { return stop.stop_requested(); });
      continue;
    }
    for (const OperationId& operation : *due)
      WakeTaskManagers(call, bus_, operation);
  }
}

void GuestWatch::HoldShards(const Call& call) {
  if (const absl::Status renewed = store_.RenewWorker(call, worker_, kLease); !renewed.ok()) {
    if (absl::IsAborted(renewed)) {
      log_.Warning("the lease was lost", {{"worker", worker_.value()}});
      worker_ = WorkerId("conductor-" + NewUuid());
    }
    const MutexLock lock(mutex_);
    shards_ = {};
    return;
  }
  const absl::StatusOr<std::vector<int>> held = store_.ClaimShards(call, worker_);
  if (!held.ok()) return;
  std::vector<int> gained;
  {
    const MutexLock lock(mutex_);
    std::array<bool, 64> now{};
    for (const int shard : *held) {
      const auto index = static_cast<std::size_t>(shard);
      now[index] = true;
      if (!shards_[index]) gained.push_back(shard);
    }
    shards_ = now;
  }
  if (gained.empty()) return;
  const absl::StatusOr<std::vector<GuestSummary>> summaries = store_.ListShard(call, gained);
  if (!summaries.ok()) return;
  {
    const MutexLock lock(mutex_);
    for (const GuestSummary& summary : *summaries) {
      if (summary.incarnation == 0) continue;  // has never been heard: its operation waits for it
      Known& known = guests_[summary.guest_id.value()];
      known.silent = summary.silent_since.has_value();
      const bool heard = known.heard > absl::InfinitePast();
      // What was heard before the shard was ours may not have been written by its last holder.
      if (heard && !known.unwritten) {
        known.unwritten = true;
        unwritten_.push_back(summary.guest_id.value());
      } else if (!heard) {
        known.last.set_guest_id(summary.guest_id.value());
        known.last.set_incarnation(summary.incarnation);
        known.last.set_sequence(summary.sequence);
      }
    }
  }
  changed_.NotifyAll();
}

void GuestWatch::JudgeSilence(const Call& call) {
  const absl::Time now = clock_.Now();
  const BusState bus = bus_.state();
  std::vector<std::pair<GuestId, absl::Time>> silent;
  {
    const MutexLock lock(mutex_);
    if (!bus.connected) {
      listening_since_ = absl::InfiniteFuture();
      return;
    }
    listening_since_ = std::max(std::min(listening_since_, now), bus.since);
    if (now - listening_since_ <= expiry_) return;
    for (auto& [id, known] : guests_) {
      if (!shards_[static_cast<std::size_t>(ShardOf(GuestId(id)))]) continue;
      const absl::Time heard = std::max(known.heard, listening_since_);
      if (known.silent || known.last.incarnation() == 0 || now - heard <= expiry_) continue;
      known.silent = true;
      silent.emplace_back(GuestId(id), heard);
    }
  }
  if (silent.empty()) return;
  log_.Warning("guests are silent", {{"count", silent.size()}});
  if (const absl::Status recorded = store_.RecordSilence(call, silent); !recorded.ok()) {
    log_.Warning("silence is not written", {{"error", recorded}});
    const MutexLock lock(mutex_);
    for (const auto& [guest, since] : silent)
      guests_[guest.value()].silent = false;
  }
}

void GuestWatch::RunJudgement(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Call call = CallFor(kWriteLimit, stop);
    HoldShards(call);
    JudgeSilence(call);
    const MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_, absl::Now() + kJudgeEach, [&] { return stop.stop_requested(); });
  }
  store_.ReleaseWorker(CallFor(absl::Seconds(1)), worker_).IgnoreError();  // ends by itself
}

}  // namespace trove::conductor
