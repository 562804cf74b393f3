#include "test/unit/agent/guest_lane.h"

#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/check.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/bus/subject.h"
#include "libtrove/identity/keys.h"
#include "libtrove/identity/sealing.h"
#include "test/support/eventually.h"

namespace trove::agent {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

identity::PrivateKey Key(identity::KeyKind kind) {
  auto key = identity::PrivateKey::Generate(kind);
  TROVE_CHECK(key.ok());
  return *std::move(key);
}

identity::JobSigner Signer() {
  auto signer = identity::JobSigner::Make(Key(identity::KeyKind::kEd25519));
  TROVE_CHECK(signer.ok());
  return *std::move(signer);
}

GuestIdentity IdentityFor(const identity::JobSigner& signer, const std::filesystem::path& folder) {
  auto verifier = identity::JobVerifier::FromPems({signer.public_key_pem()});
  TROVE_CHECK(verifier.ok());
  return {.files = IdentityFiles(folder),
          .sealing_key = Key(identity::KeyKind::kX25519),
          .job_verifier = *std::move(verifier),
          .nats = {}};
}

std::string RefOf(const std::string& job_id, std::int64_t generation) {
  mesh::v1::JobRef ref;
  ref.set_job_id(job_id);
  ref.set_generation(generation);
  return ref.SerializeAsString();
}

}  // namespace

absl::Status FakeDatastore::Do(const Call& call, const std::string& what) {
  const MutexLock lock(mutex_);
  asked_.push_back(what);
  while (held_ && call.Check().ok()) {
    changed_.WaitUntil(mutex_, absl::Now() + absl::Milliseconds(10), [&]() TROVE_REQUIRES(mutex_) {
      return !held_;
    });
  }
  if (absl::Status late = call.Check(); !late.ok()) return late;
  return status_;
}

absl::Status FakeDatastore::Prepare(const Call& call,
                                    const PrepareSpec& spec,
                                    const Progress& say) {
  say("preparing");
  {
    const MutexLock lock(mutex_);
    prepared_.push_back(spec);
  }
  return Do(call, "prepare");
}

absl::Status FakeDatastore::Validate(const ServerSettings& settings) const {
  if (settings.parameters.count("refused") == 0) return absl::OkStatus();
  return absl::InvalidArgumentError("refused cannot be set");
}

absl::Status FakeDatastore::Start(const Call& call,
                                  const std::optional<ServerSettings>& settings,
                                  const Progress&) {
  Use(settings);
  return Do(call, "start");
}

absl::Status FakeDatastore::Stop(const Call& call, const Progress&) {
  return Do(call, "stop");
}

absl::StatusOr<bool> FakeDatastore::Configure(const Call& call,
                                              const ServerSettings& settings,
                                              Restarting restarting,
                                              const Progress&) {
  Use(settings);
  TROVE_RETURN_IF_ERROR(Do(call, "configure"));
  return restarting == Restarting::kForbidden;
}

absl::Status FakeDatastore::Upgrade(const Call& call,
                                    const ServerSettings& settings,
                                    const PointOfNoReturn& committed,
                                    const Progress&) {
  TROVE_RETURN_IF_ERROR(committed());
  Use(settings);
  return Do(call, "upgrade");
}

absl::Status FakeDatastore::Adopt(const Call& call,
                                  const ServerSettings& settings,
                                  const Progress&) {
  Use(settings);
  return Do(call, "adopt");
}

void FakeDatastore::Use(const std::optional<ServerSettings>& settings) {
  const MutexLock lock(mutex_);
  settings_ = settings;
}

std::optional<ServerSettings> FakeDatastore::settings() const {
  const MutexLock lock(mutex_);
  return settings_;
}

ServerHealth FakeDatastore::Check(const Call&) {
  const MutexLock lock(mutex_);
  return health_;
}

void FakeDatastore::Hold() {
  const MutexLock lock(mutex_);
  held_ = true;
}

void FakeDatastore::Release() {
  {
    const MutexLock lock(mutex_);
    held_ = false;
  }
  changed_.NotifyAll();
}

void FakeDatastore::Fail(absl::Status status) {
  const MutexLock lock(mutex_);
  status_ = std::move(status);
}

void FakeDatastore::SetHealth(ServerHealth health) {
  const MutexLock lock(mutex_);
  health_ = std::move(health);
}

std::vector<std::string> FakeDatastore::asked() const {
  const MutexLock lock(mutex_);
  return asked_;
}

std::vector<PrepareSpec> FakeDatastore::prepared() const {
  const MutexLock lock(mutex_);
  return prepared_;
}

GuestLane::GuestLane()
    : guest_(NewUuid()),
      signer_(Signer()),
      conductor_(bus_.Peer()),
      identity_(IdentityFor(signer_, folder_.path())) {
  config.guest_id = guest_.value();
  config.guest_dir = folder_.path();
  config.volume_dir = folder_.path();
  config.heartbeat_interval_ms = 60'000;
  auto subscribed = conductor_->Subscribe(
      CallFor(kPatience), AnyJobReportSubject(), {}, [this](const BusMessage& message) {
        mesh::v1::JobReport report;
        TROVE_CHECK(report.ParseFromString(message.payload));
        {
          const MutexLock lock(mutex_);
          reports_.push_back(std::move(report));
          if (deaf_) return;
        }
        message.reply(mesh::v1::JobReportAck().SerializeAsString()).IgnoreError();  // it repeats
      });
  TROVE_CHECK(subscribed.ok());
  subscription_ = *std::move(subscribed);
}

GuestLane::~GuestLane() {
  Stop();
}

void GuestLane::Start() {
  auto opened = GuestState::Open(config.guest_dir);
  TROVE_CHECK(opened.ok());
  state = *std::move(opened);
  monitor = std::make_unique<HealthMonitor>(config, *state, datastore, bus_, Log());
  auto started = Jobs::Start(guest_, identity_, *state, datastore, *monitor, bus_, Log());
  TROVE_CHECK(started.ok());
  jobs = *std::move(started);
}

void GuestLane::Stop() {
  jobs.reset();
  monitor.reset();
  state.reset();
}

mesh::v1::Job GuestLane::NewJob() {
  mesh::v1::Job job;
  job.set_id("operation/step/" + std::to_string(++next_job_));
  job.set_guest_id(guest_.value());
  job.set_generation(generation);
  job.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(absl::Now() + absl::Minutes(1)));
  job.mutable_time_limit()->set_seconds(60);
  job.mutable_stop();
  return job;
}

mesh::v1::Job GuestLane::NewPrepare(const std::string& password) {
  mesh::v1::Job job = NewJob();
  mesh::v1::GuestUser& user = *job.mutable_prepare()->add_users();
  user.set_name("ann");
  auto box = identity::SealTo(identity_.sealing_key.public_key(), Secret(password), guest_.value());
  TROVE_CHECK(box.ok());
  user.mutable_password()->set_box(*box);
  return job;
}

std::string GuestLane::Give(const mesh::v1::Job& job) {
  mesh::v1::JobEnvelope envelope;
  envelope.set_job(job.SerializeAsString());
  const auto signature = signer_.Sign(envelope.job());
  TROVE_CHECK(signature.ok());
  envelope.set_key_id(signature->key_id);
  envelope.set_signature(signature->signature);
  return jobs->OnJob(envelope.SerializeAsString()).reason();
}

std::string GuestLane::Cancel(const std::string& job_id) {
  return jobs->OnCancel(RefOf(job_id, generation)).reason();
}

std::string GuestLane::Settle(const std::string& job_id) {
  return jobs->OnSettled(RefOf(job_id, generation)).reason();
}

std::vector<mesh::v1::JobReport> GuestLane::FinalReports(const std::string& job_id) const {
  const MutexLock lock(mutex_);
  std::vector<mesh::v1::JobReport> found;
  for (const mesh::v1::JobReport& report : reports_) {
    if (report.job_id() == job_id && report.state() != mesh::v1::JobReport::STATE_RUNNING)
      found.push_back(report);
  }
  return found;
}

mesh::v1::JobReport::State GuestLane::Ends(const std::string& job_id) const {
  if (!Eventually(kPatience, [&] { return !FinalReports(job_id).empty(); }))
    return mesh::v1::JobReport::STATE_UNSPECIFIED;
  return FinalReports(job_id).back().state();
}

void GuestLane::SetDeaf(bool deaf) {
  const MutexLock lock(mutex_);
  deaf_ = deaf;
}

bool GuestLane::IsRunning(const std::string& job_id) const {
  return Eventually(kPatience, [&] {
    const auto running = jobs->running();
    return running && running->first == job_id;
  });
}

std::string GuestLane::FilesOfGuest() const {
  std::string all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    if (entry.is_regular_file()) all += ReadFile(entry.path()).value_or("");
  }
  return all;
}

}  // namespace trove::agent
