#include "libtrove/agent/health_monitor.h"

#include <algorithm>
#include <utility>

#include <ftw.h>

#include "libtrove/agent/log_files.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/bus/subject.h"

namespace trove::agent {
namespace {

constexpr absl::Duration kLookEach = absl::Seconds(1);
constexpr absl::Duration kCheckLimit = absl::Seconds(3);
constexpr absl::Duration kPublishLimit = absl::Seconds(1);
// Walking a data directory of some thousand files costs milliseconds.
constexpr absl::Duration kVolumeLookEach = absl::Minutes(1);
constexpr std::int64_t kGib = std::int64_t{1} << 30;

mesh::v1::ServerStatus StatusOf(ServerState state) {
  switch (state) {
    case ServerState::kDown:
      return mesh::v1::SERVER_STATUS_SHUTDOWN;
    case ServerState::kCrashed:
      return mesh::v1::SERVER_STATUS_CRASHED;
    case ServerState::kStarting:
      return mesh::v1::SERVER_STATUS_RUNNING;
    case ServerState::kHealthy:
      return mesh::v1::SERVER_STATUS_HEALTHY;
    case ServerState::kBlocked:
      return mesh::v1::SERVER_STATUS_BLOCKED;
  }
  return mesh::v1::SERVER_STATUS_CRASHED;
}

// Bytes that the files below `folder` occupy; what vanishes meanwhile does not count.
std::int64_t UsedBytes(const std::string& folder) {
  static thread_local std::int64_t total = 0;  // nftw takes no argument for its callback
  total = 0;
  nftw(
      folder.c_str(),
      [](const char*, const struct stat* entry, int type, struct FTW*) {
        if (type == FTW_F || type == FTW_D) total += std::int64_t{entry->st_blocks} * 512;
        return 0;
      },
      16,
      FTW_PHYS | FTW_MOUNT);
  return total;
}

}  // namespace

HealthMonitor::HealthMonitor(
    const AgentConfig& config, const GuestState& state, Datastore& datastore, Bus& bus, Log log)
    : config_(config),
      state_(state),
      datastore_(datastore),
      bus_(bus),
      log_(std::move(log)),
      boot_id_(BootId().value_or("")) {}

HealthMonitor::~HealthMonitor() {
  thread_.request_stop();
  changed_.NotifyAll();
}

void HealthMonitor::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void HealthMonitor::SetActivity(mesh::v1::ServerStatus activity) {
  {
    const MutexLock lock(mutex_);
    activity_ = activity;
    kicked_ = true;
  }
  changed_.NotifyAll();
}

void HealthMonitor::Kick() {
  {
    const MutexLock lock(mutex_);
    kicked_ = true;
  }
  changed_.NotifyAll();
}

mesh::v1::Heartbeat HealthMonitor::last() const {
  const MutexLock lock(mutex_);
  return last_;
}

mesh::v1::Heartbeat HealthMonitor::Observe(const Call& call) {
  mesh::v1::Heartbeat heartbeat;
  mesh::v1::ServerStatus status = mesh::v1::SERVER_STATUS_NEW;
  if (state_.prepared()) {
    const ServerHealth health = datastore_.Check(call);
    status = StatusOf(health.state);
    heartbeat.set_message(health.message);
    heartbeat.set_running_version(health.version);
  }
  if (absl::Now() - volume_looked_at_ > kVolumeLookEach) {
    volume_used_bytes_ = UsedBytes(config_.volume_dir);
    volume_looked_at_ = absl::Now();
    if (const absl::Status bounded = BoundLogs(config_.guest_dir); !bounded.ok())
      log_.Warning("the logs grow", {{"error", bounded}});
  }
  const std::optional<ServerSettings> settings = state_.settings();
  const std::int64_t size_gib = settings && settings->volume_size_gib > 0
                                    ? settings->volume_size_gib
                                    : config_.volume_size_gib;
  const MutexLock lock(mutex_);
  if (activity_ != mesh::v1::SERVER_STATUS_UNSPECIFIED) status = activity_;
  heartbeat.set_guest_id(config_.guest_id);
  heartbeat.set_boot_id(boot_id_);
  heartbeat.set_incarnation(state_.incarnation());
  heartbeat.set_sequence(last_.sequence() + 1);
  heartbeat.set_generation(state_.generation());
  heartbeat.set_status(status);
  heartbeat.set_agent_api(kAgentApi);
  heartbeat.set_volume_used_bytes(volume_used_bytes_);
  heartbeat.set_volume_size_bytes(size_gib * kGib);
  return heartbeat;
}

void HealthMonitor::Run(const std::stop_token& stop) {
  const absl::Duration interval = absl::Milliseconds(config_.heartbeat_interval_ms);
  const absl::StatusOr<Subject> subject = HeartbeatSubject(GuestId(config_.guest_id));
  if (!subject.ok()) return;  // the id was checked when the configuration was read
  absl::Time told = absl::InfinitePast();
  bool lost = false;
  while (!stop.stop_requested()) {
    const mesh::v1::Heartbeat heartbeat = Observe(CallFor(kCheckLimit, stop));
    bool changed = false;
    {
      const MutexLock lock(mutex_);
      changed =
          kicked_ || heartbeat.status() != last_.status() || heartbeat.message() != last_.message();
      kicked_ = false;
      last_ = heartbeat;
    }
    if (changed || lost || absl::Now() - told >= interval) {
      const absl::Status published =
          bus_.Publish(CallFor(kPublishLimit, stop), *subject, heartbeat.SerializeAsString());
      // The bus itself says when it is away, and kicks us when it is back.
      if (!published.ok() && !lost && bus_.state().connected)
        log_.Warning("heartbeats are lost", {{"error", published}});
      lost = !published.ok();
      told = absl::Now();
    }
    const MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_,
                       absl::Now() + std::min(kLookEach, interval),
                       [&]() TROVE_REQUIRES(mutex_) { return kicked_ || stop.stop_requested(); });
  }
}

}  // namespace trove::agent
