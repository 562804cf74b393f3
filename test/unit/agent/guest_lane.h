#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/agent/agent_config.h"
#include "libtrove/agent/datastore.h"
#include "libtrove/agent/guest_identity.h"
#include "libtrove/agent/guest_state.h"
#include "libtrove/agent/health_monitor.h"
#include "libtrove/agent/jobs.h"
#include "libtrove/base/mutex.h"
#include "libtrove/identity/job_signing.h"
#include "test/support/memory_bus.h"
#include "test/support/temporary_directory.h"

namespace trove::agent {

/// A database that is done at once, or as soon as it is let. Thread-safe.
class FakeDatastore final : public Datastore {
 public:
  absl::Status Prepare(const Call& call, const PrepareSpec& spec, const Progress& say) override;
  absl::Status Validate(const ServerSettings& settings) const override;
  absl::Status Start(const Call& call,
                     const std::optional<ServerSettings>& settings,
                     const Progress& say) override;
  absl::Status Stop(const Call& call, const Progress& say) override;
  absl::StatusOr<bool> Configure(const Call& call,
                                 const ServerSettings& settings,
                                 Restarting restarting,
                                 const Progress& say) override;
  absl::Status Upgrade(const Call& call,
                       const ServerSettings& settings,
                       const PointOfNoReturn& committed,
                       const Progress& say) override;
  absl::Status Adopt(const Call& call,
                     const ServerSettings& settings,
                     const Progress& say) override;
  ServerHealth Check(const Call& call) override;

  /// What it does from now on waits until Release, or for the call's end.
  void Hold();
  void Release();
  /// How everything ends from now on.
  void Fail(absl::Status status);
  void SetHealth(ServerHealth health);

  /// What was asked of it, in order: `prepare`, `start`, `stop`, `configure`, `upgrade`, `adopt`.
  std::vector<std::string> asked() const;
  std::vector<PrepareSpec> prepared() const;
  /// With which settings it was last started, configured, upgraded or adopted.
  std::optional<ServerSettings> settings() const;

 private:
  absl::Status Do(const Call& call, const std::string& what);
  void Use(const std::optional<ServerSettings>& settings);

  mutable Mutex mutex_;
  CondVar changed_;
  bool held_ TROVE_GUARDED_BY(mutex_) = false;
  absl::Status status_ TROVE_GUARDED_BY(mutex_);
  ServerHealth health_ TROVE_GUARDED_BY(mutex_) = {ServerState::kHealthy, "", "10.11.6"};
  std::vector<std::string> asked_ TROVE_GUARDED_BY(mutex_);
  std::optional<ServerSettings> settings_ TROVE_GUARDED_BY(mutex_);
  std::vector<PrepareSpec> prepared_ TROVE_GUARDED_BY(mutex_);
};

/// One guest's Jobs over a fake datastore and a bus in memory, with a conductor that hears the
/// reports. Used on the test's own thread.
class GuestLane {
 public:
  GuestLane();
  ~GuestLane();

  /// Starts the agent's part; what the folder holds from before is taken up.
  void Start();
  /// Ends it, as SIGTERM does.
  void Stop();

  /// A stop job with a new id.
  mesh::v1::Job NewJob();
  /// A prepare job with one user of this password.
  mesh::v1::Job NewPrepare(const std::string& password);
  /// Signs a job and hands it over; the reason of its refusal, empty when it was taken.
  std::string Give(const mesh::v1::Job& job);
  std::string Cancel(const std::string& job_id);
  std::string Settle(const std::string& job_id);

  /// The states of the final reports of a job, in order of arrival.
  std::vector<mesh::v1::JobReport> FinalReports(const std::string& job_id) const;
  /// Waits for a final report, and gives its state: UNSPECIFIED when none comes.
  mesh::v1::JobReport::State Ends(const std::string& job_id) const;
  /// As long as it is deaf no report is acknowledged.
  void SetDeaf(bool deaf);
  bool IsRunning(const std::string& job_id) const;

  std::filesystem::path journal_folder() const { return folder_ / "jobs"; }
  /// All bytes of the guest's files.
  std::string FilesOfGuest() const;

  FakeDatastore datastore;
  AgentConfig config;
  std::int64_t generation = 1;  ///< of the jobs that are made
  std::unique_ptr<GuestState> state;
  std::unique_ptr<HealthMonitor> monitor;
  std::unique_ptr<Jobs> jobs;

 private:
  const TemporaryDirectory folder_;
  const GuestId guest_;
  const identity::JobSigner signer_;
  MemoryBus bus_;
  const std::unique_ptr<MemoryBus> conductor_;
  GuestIdentity identity_;
  int next_job_ = 0;

  mutable Mutex mutex_;
  bool deaf_ TROVE_GUARDED_BY(mutex_) = false;
  std::vector<mesh::v1::JobReport> reports_ TROVE_GUARDED_BY(mutex_);
  std::unique_ptr<Subscription> subscription_;
};

}  // namespace trove::agent
