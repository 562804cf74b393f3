#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include <absl/time/time.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/agent/agent_config.h"
#include "libtrove/agent/datastore.h"
#include "libtrove/agent/guest_state.h"
#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/bus/bus.h"

namespace trove::agent {

/// Looks at the server each second and tells the conductors how the guest is: at once when that
/// changes, else each interval. Thread-safe, but for Start.
class HealthMonitor {
 public:
  /// The version of the agent's interface: grows when the control plane must know.
  static constexpr int kAgentApi = 1;

  /// All must outlive this object.
  HealthMonitor(
      const AgentConfig& config, const GuestState& state, Datastore& datastore, Bus& bus, Log log);
  ~HealthMonitor();

  /// Begins to look and to tell, once. The first heartbeat says that the guest takes jobs: by then
  /// it must.
  void Start();

  /// What is being done to the server, which then matters more than what it answers; UNSPECIFIED:
  /// nothing. Told to the conductors at once.
  void SetActivity(mesh::v1::ServerStatus activity) TROVE_EXCLUDES(mutex_);

  /// Looks and tells now, as after a reconnect.
  void Kick() TROVE_EXCLUDES(mutex_);

  /// What the last heartbeat said.
  mesh::v1::Heartbeat last() const TROVE_EXCLUDES(mutex_);

 private:
  void Run(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  mesh::v1::Heartbeat Observe(const Call& call) TROVE_EXCLUDES(mutex_);

  const AgentConfig& config_;
  const GuestState& state_;
  Datastore& datastore_;
  Bus& bus_;
  const Log log_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool kicked_ TROVE_GUARDED_BY(mutex_) = false;
  mesh::v1::ServerStatus activity_ TROVE_GUARDED_BY(mutex_) = mesh::v1::SERVER_STATUS_UNSPECIFIED;
  mesh::v1::Heartbeat last_ TROVE_GUARDED_BY(mutex_);

  // Of the thread alone.
  std::string boot_id_;
  std::int64_t volume_used_bytes_ = 0;
  absl::Time volume_looked_at_ = absl::InfinitePast();
  std::jthread thread_;
};

}  // namespace trove::agent
