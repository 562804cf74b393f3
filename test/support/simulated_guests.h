#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/executor.h"
#include "libtrove/base/mutex.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/job_signing.h"
#include "libtrove/identity/keys.h"
#include "test/support/noop_provisioner.h"

namespace trove {

/// Any number of guests without processes, which speak the real protocol on the bus: they enrol,
/// send heartbeats, check, journal and acknowledge jobs, report results until these are
/// acknowledged, and forget them when they are settled. All share a few threads. What a guest
/// journaled survives its agent's death here, as on a disk. Thread-safe.
///
/// It listens to all guests' subjects by one connection, so the bus must let it.
class SimulatedGuests final : public taskmanager::GuestWatcher {
 public:
  /// What a guest enrols with.
  struct Enrolment {
    GuestId guest;
    Secret token;
    std::string nkey_public;
    std::string sealing_public_key;  ///< X25519, 32 bytes
  };
  /// Errors are tried again.
  using EnrolFn = std::function<absl::Status(const Call& call, const Enrolment& enrolment)>;

  struct Options {
    absl::Duration heartbeat_every = absl::Seconds(2);
    absl::Duration job_time = absl::ZeroDuration();  ///< that each job takes
    EnrolFn enrol;                                   ///< null: guests are members already
    std::optional<identity::JobVerifier> verifier;   ///< absent: signatures are not checked
    std::string running_version = "10.11.6";
    /// Called when the server of a guest writes to its volume in another way than before.
    std::function<void(const GuestId&)> on_upgrade;
    int threads = 4;
  };

  /// `bus` must outlive this object. Listen must be called once.
  SimulatedGuests(Bus& bus, Options options);
  ~SimulatedGuests() override;
  SimulatedGuests(const SimulatedGuests&) = delete;
  SimulatedGuests& operator=(const SimulatedGuests&) = delete;

  absl::Status Listen(const Call& call);

  // As GuestWatcher: the processes of a guest begin and end.
  void OnStarted(const taskmanager::GuestSpec& spec) override;
  void OnStopped(const GuestId& guest) override;
  void OnReset(const GuestId& guest) override;
  void OnRemoved(const GuestId& guest) override;

  /// The agent dies and comes back: a running job is reported as interrupted.
  void CrashAgent(const GuestId& guest);
  /// The next `times` jobs of any guest end like this.
  void FailNextJobs(int times, std::string error, bool retryable);
  /// The next `times` jobs of this kind end like this.
  void FailNext(mesh::v1::Job::KindCase kind, int times, std::string error, bool retryable);
  /// Jobs of this kind take this long from now on, at most also those that are under way.
  void SetJobTime(mesh::v1::Job::KindCase kind, absl::Duration time);
  /// Whether a ConfigureJob that may not restart the server reports that it must be restarted.
  void SetRestartRequired(bool required);
  /// How many of the next final reports are never sent, as if lost with the connection; a job that
  /// arrives again is reported again.
  void LoseReports(int count);

  /// The jobs that a guest has begun, in order, without the repeated ones.
  std::vector<mesh::v1::Job> jobs(const GuestId& guest) const;
  /// How the server of a guest was last told to be.
  mesh::v1::ServerSettings settings(const GuestId& guest) const;
  mesh::v1::ServerStatus status(const GuestId& guest) const;
  /// Jobs that are not settled.
  int unsettled() const;
  /// Jobs that were refused because of their signature, target or generation.
  int refused() const;
  /// The guest's private key for what is sealed to it.
  absl::StatusOr<identity::PrivateKey> SealingKey(const GuestId& guest) const;

 private:
  struct JournalEntry {
    mesh::v1::Job job;
    bool finished = false;
    mesh::v1::JobReport report;
  };
  struct Guest {
    bool running = false;
    bool enrolled = false;
    Secret token;
    std::int64_t incarnation = 0;
    std::int64_t sequence = 0;
    std::int64_t generation = 0;
    mesh::v1::ServerStatus status = mesh::v1::SERVER_STATUS_NEW;
    mesh::v1::ServerSettings settings;
    std::string version;
    std::optional<identity::PrivateKey> sealing_key;
    std::map<std::string, JournalEntry> journal;
    std::vector<mesh::v1::Job> begun;
  };
  void Tick(const std::stop_token& stop);
  void At(absl::Time when, std::function<void()> task) TROVE_EXCLUDES(mutex_);
  void Post(std::function<void()> task);
  void Enrol(const GuestId& id);
  void BeginAgent(const GuestId& id);
  void SendHeartbeat(const GuestId& id);
  void OnJob(const BusMessage& message);
  mesh::v1::JobAck TakeJob(const GuestId& id, const mesh::v1::JobEnvelope& envelope);
  void OnSettled(const BusMessage& message);
  void OnCancel(const BusMessage& message);
  void Begin(Guest& guest, const mesh::v1::Job& job) TROVE_REQUIRES(mutex_);
  // Changes the guest as the job does, and fills in the report.
  void Do(Guest& guest, const mesh::v1::Job& job, mesh::v1::JobReport& report)
      TROVE_REQUIRES(mutex_);
  void FinishJob(const GuestId& id, const std::string& job_id, std::int64_t incarnation);
  void Report(const GuestId& id, const std::string& job_id);

  Bus& bus_;
  const Options options_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<GuestId, Guest> guests_ TROVE_GUARDED_BY(mutex_);
  std::multimap<absl::Time, std::function<void()>> timers_ TROVE_GUARDED_BY(mutex_);
  struct Failures {
    int times = 0;
    std::string error;
    bool retryable = false;
  };
  // What a job that ends now fails with; null: it does not.
  const Failures* NextFailure(mesh::v1::Job::KindCase kind) TROVE_REQUIRES(mutex_);

  std::map<mesh::v1::Job::KindCase, Failures> failures_ TROVE_GUARDED_BY(mutex_);  // NOT_SET: all
  std::map<mesh::v1::Job::KindCase, absl::Duration> job_times_ TROVE_GUARDED_BY(mutex_);
  bool restart_required_ TROVE_GUARDED_BY(mutex_) = false;
  int lose_reports_ TROVE_GUARDED_BY(mutex_) = 0;
  int refused_ TROVE_GUARDED_BY(mutex_) = 0;
  std::stop_source stop_;
  Executor executor_;
  std::jthread timer_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

}  // namespace trove
