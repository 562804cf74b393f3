#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/agent/keeper_client.h"
#include "libtrove/base/clock.h"
#include "libtrove/base/executor.h"
#include "libtrove/base/mutex.h"
#include "libtrove/bus/nats_bus.h"
#include "libtrove/bus/subject.h"
#include "libtrove/identity/certificate_authority.h"
#include "libtrove/identity/job_signing.h"
#include "libtrove/rpc/server.h"
#include "libtrove/store/store.h"
#include "services/conductor/conductor_service.h"
#include "services/conductor/enrolment.h"
#include "services/conductor/guest_watch.h"
#include "services/taskmanager/process/process_provisioner.h"
#include "test/support/mini_nats.h"
#include "test/support/temporary_directory.h"
#include "test/support/test_mesh.h"

namespace trove::mariadb {

/// Everything around one guest, and all of it real: nats-server, store, the conductor's enrolment
/// door, the process provisioner with the keeper and the agent from the build tree. The test itself
/// plays task manager and conductor on the bus. Aborts when something fails that no test is about.
/// The destructor removes the guest and its volume. Used by one thread at a time.
class GuestStage {
 public:
  GuestStage();
  ~GuestStage();
  GuestStage(const GuestStage&) = delete;
  GuestStage& operator=(const GuestStage&) = delete;

  /// Claims the guest anew, as each claim of an operation does: its generation grows.
  void Raise() { ++generation_; }
  std::int64_t generation() const { return generation_; }
  taskmanager::GuestRef ref() const;
  taskmanager::VolumeSpec volume_spec() const;
  taskmanager::GuestSpec guest_spec() const;
  const GuestId& guest() const { return guest_; }
  const taskmanager::GuestPlace& place() const { return place_; }
  taskmanager::ProcessProvisioner& provisioner() { return *provisioner_; }
  MiniNats& nats() { return *nats_; }
  const taskmanager::ProcessLayout& layout() const { return layout_; }

  /// Volume, keeper and agent; returns when the agent was heard. False: it was not.
  bool Bring();
  /// Bring, and a prepare job that makes database `shop` and user `ann` with password().
  bool BringPrepared();

  /// A job of this guest with a new id, which expires in a minute.
  mesh::v1::Job NewJob();
  mesh::v1::Job PrepareJob();
  /// How the prepared server is meant to be.
  mesh::v1::ServerSettings settings() const;
  /// Signs a job and sends it until it is answered; `seconds` of patience.
  absl::StatusOr<mesh::v1::JobAck> Send(const mesh::v1::Job& job);
  absl::StatusOr<mesh::v1::JobAck> SendEnvelope(const mesh::v1::JobEnvelope& envelope);
  mesh::v1::JobEnvelope Sign(const mesh::v1::Job& job) const;
  absl::StatusOr<mesh::v1::JobAck> Settle(const std::string& job_id);
  absl::StatusOr<mesh::v1::JobAck> Cancel(const std::string& job_id);
  /// Waits for the final report of a job that arrived after the first `seen` of its.
  std::optional<mesh::v1::JobReport> Result(const std::string& job_id, int seen = 0);
  /// Send and Result; the state of the result, UNSPECIFIED when there is none.
  mesh::v1::JobReport::State Do(const mesh::v1::Job& job);
  int ReportsOf(const std::string& job_id) const;
  /// Whether progress with these words has been heard of the job.
  bool HeardProgress(const std::string& job_id, const std::string& words) const;
  /// As long as it is deaf no report is acknowledged.
  void SetDeaf(bool deaf);

  /// What the last heartbeat said; nothing when there was none.
  std::optional<mesh::v1::Heartbeat> heartbeat() const;
  bool AwaitStatus(mesh::v1::ServerStatus status, absl::Duration within = absl::Seconds(20)) const;

  /// As the keeper knows it.
  keeper::KeeperStatus Processes() const;

  const std::string& password() const { return password_; }
  std::filesystem::path endpoint_authority() const { return folder_ / "endpoint-ca.pem"; }
  /// The last of the guest's logs, for a test that failed.
  std::string Logs() const;

 private:
  void Enrollable();
  absl::StatusOr<mesh::v1::JobAck> Refer(const Subject& subject, const std::string& job_id);
  void OnReport(const BusMessage& message);

  const SystemClock clock_;
  const TemporaryDirectory folder_;  // 0711: guests enter it
  TestMesh mesh_;
  const identity::CertificateAuthority endpoints_;
  const identity::JobSigner signer_;
  const std::string password_;
  std::unique_ptr<MiniNats> nats_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<NatsBus> conductor_bus_;
  std::unique_ptr<NatsBus> task_bus_;
  std::unique_ptr<conductor::Enrolment> enrolment_;
  std::unique_ptr<conductor::GuestWatch> watch_;
  Executor writers_;
  std::unique_ptr<conductor::ConductorService> service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<taskmanager::ProcessProvisioner> provisioner_;
  taskmanager::ProcessLayout layout_;

  GuestId guest_;
  InstanceId instance_;
  VolumeId volume_;
  OperationId operation_;
  Secret token_;
  std::int64_t generation_ = 1;
  int next_job_ = 0;
  taskmanager::GuestPlace place_;

  mutable Mutex mutex_;
  bool deaf_ TROVE_GUARDED_BY(mutex_) = false;
  std::vector<mesh::v1::JobReport> reports_ TROVE_GUARDED_BY(mutex_);
  std::optional<mesh::v1::Heartbeat> heartbeat_ TROVE_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

}  // namespace trove::mariadb
