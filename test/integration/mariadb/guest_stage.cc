#include "test/integration/mariadb/guest_stage.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/files.h"
#include "libtrove/base/uuid.h"
#include "libtrove/identity/nats_permissions.h"
#include "libtrove/identity/sealing.h"
#include "libtrove/identity/token.h"
#include "services/taskmanager/process/claims.h"
#include "test/support/eventually.h"
#include "test/support/seeded_store.h"

namespace trove::mariadb {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(40);

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "no test can go on: %s\n", result.status().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "no test can go on: %s\n", status.ToString().c_str());
  std::abort();
}

Call SomeCall() {
  return CallFor(kPatience);
}

std::unique_ptr<NatsBus> Connect(const MiniNats& nats, const std::string& service) {
  NatsBusOptions options;
  options.urls = {nats.url()};
  options.name = service;
  options.authority_file = nats.folder() / "mesh-ca.pem";
  options.server_name = nats.tls_name();
  options.credentials = Must(nats.ServiceCredentials(service));
  options.inbox_prefix = identity::NatsInboxPrefix(service);
  options.wait_for_first_connection = true;
  return Must(NatsBus::Connect(SomeCall(), std::move(options)));
}

bool IsFinal(const mesh::v1::JobReport& report) {
  return report.state() != mesh::v1::JobReport::STATE_RUNNING;
}

}  // namespace

GuestStage::GuestStage()
    : endpoints_(Must(identity::CertificateAuthority::Create("test databases", absl::Now()))),
      signer_(Must(identity::JobSigner::Make(
          Must(identity::PrivateKey::Generate(identity::KeyKind::kEd25519))))),
      password_("pass-" + RandomAlphanumeric(24)),
      nats_(Must(
          MiniNats::Start({.mesh_id = mesh_.mesh_id(), .mesh_authority = mesh_.mesh_authority()}))),
      store_(OpenSeededStore(clock_)),
      conductor_bus_(Connect(*nats_, "conductor")),
      task_bus_(Connect(*nats_, "taskmanager")),
      writers_("enrol", 2, 16),
      layout_{folder_ / "data", folder_ / "run"} {
  ::chmod(folder_.path().c_str(), 0711);
  Must(WriteFileAtomically(endpoint_authority(), endpoints_.certificate_pem(), 0644));
  enrolment_ =
      std::make_unique<conductor::Enrolment>(*store_,
                                             clock_,
                                             conductor::EnrolmentKeys{mesh_.mesh_authority(),
                                                                      endpoints_,
                                                                      nats_->issuer(),
                                                                      signer_.key_id(),
                                                                      signer_.public_key_pem()},
                                             mesh_.mesh_id(),
                                             absl::Hours(1),
                                             Log());
  watch_ = std::make_unique<conductor::GuestWatch>(
      *store_, *conductor_bus_, clock_, WorkerId("conductor"), absl::Seconds(15), Log());
  service_ = std::make_unique<conductor::ConductorService>(*enrolment_, *watch_, writers_);
  server_ = Must(rpc::Server::Start({.mesh_id = mesh_.mesh_id(),
                                     .listeners = {{.kind = rpc::ListenerKind::kEnrol,
                                                    .address = "127.0.0.1:0",
                                                    .tls = mesh_.Service("conductor")}}},
                                    {rpc::Serve<mesh::v1::ConductorService>(*service_)}));
  taskmanager::ProcessProvisionerOptions options;
  options.mesh_id = mesh_.mesh_id();
  options.host = "here";
  options.data_dir = layout_.data_dir;
  options.socket_dir = layout_.socket_dir;
  options.programs = TROVE_PROGRAMS;
  options.claims_folder = taskmanager::DefaultClaimsFolder();
  options.heartbeat_interval_ms = 1000;
  Must(MakeDirectory(options.data_dir, 0711));
  provisioner_ = Must(taskmanager::ProcessProvisioner::Open(std::move(options), Log()));
  subscriptions_.push_back(Must(conductor_bus_->Subscribe(
      SomeCall(), AnyJobReportSubject(), {}, [this](const BusMessage& message) {
        OnReport(message);
      })));
  subscriptions_.push_back(Must(conductor_bus_->Subscribe(
      SomeCall(), AnyHeartbeatSubject(), {}, [this](const BusMessage& message) {
        mesh::v1::Heartbeat heartbeat;
        if (!heartbeat.ParseFromString(message.payload)) return;
        const MutexLock lock(mutex_);
        heartbeat_ = std::move(heartbeat);
      })));
  Enrollable();
}

// An accepted create, held by a worker that gives its guest a place and a token.
void GuestStage::Enrollable() {
  const NewInstance made = NewSeededInstance("p1", "instance.create");
  Must(store_->CreateInstance(SomeCall(), SeededRequester("p1"), made).status());
  guest_ = made.guest_id;
  instance_ = made.instance.id;
  volume_ = made.volume_id;
  operation_ = made.operation.id;
  place_ = Must(provisioner_->Place(SomeCall(), ref()));
  token_ = Secret("tre_" + RandomHex(32));
  const WorkerId worker("worker");
  Must(store_->RenewWorker(SomeCall(), worker, absl::Minutes(10)));
  const Store::Claims claims = Must(store_->ClaimDue(SomeCall(), worker, {}));
  OperationWrite write{claims.operations.at(0).operation, {}, {}, false};
  write.effects = {PlaceGuest{place_.placement, place_.control_endpoint, place_.uid},
                   AssignEndpoint{place_.address, place_.port},
                   SetEnrolmentToken{identity::HashToken(token_), absl::Now() + absl::Minutes(10)}};
  Must(store_->WriteOperation(SomeCall(), worker, write).status());
}

GuestStage::~GuestStage() {
  Raise();
  const Call call = SomeCall();
  const absl::Status statuses[] = {provisioner_->Remove(call, ref()),
                                   provisioner_->RemoveVolume(call, ref(), volume_),
                                   provisioner_->Release(call, ref(), place_)};
  for (const absl::Status& status : statuses) {
    if (!status.ok()) std::fprintf(stderr, "clean up: %s\n", status.ToString().c_str());
  }
  subscriptions_.clear();
}

taskmanager::GuestRef GuestStage::ref() const {
  return {guest_, instance_, generation_};
}

taskmanager::VolumeSpec GuestStage::volume_spec() const {
  return {volume_, ref(), 1, SeededVersion(), place_};
}

taskmanager::GuestSpec GuestStage::guest_spec() const {
  taskmanager::GuestSpec spec;
  spec.guest = ref();
  spec.volume_id = volume_;
  spec.volume_size_gib = 1;
  spec.version = SeededVersion();
  spec.flavor.ram_mib = 512;
  spec.flavor.vcpus = 1;
  spec.place = place_;
  spec.mesh = {server_->address(0), nats_->url(), mesh_.mesh_authority_pem()};
  spec.enrolment_token = token_;
  return spec;
}

bool GuestStage::Bring() {
  Must(provisioner_->EnsureVolume(SomeCall(), volume_spec()));
  Must(provisioner_->Ensure(SomeCall(), guest_spec()));
  return Eventually(kPatience, [&] { return heartbeat().has_value(); });
}

bool GuestStage::BringPrepared() {
  return Bring() && Do(PrepareJob()) == mesh::v1::JobReport::STATE_SUCCEEDED;
}

mesh::v1::Job GuestStage::NewJob() {
  mesh::v1::Job job;
  job.set_id(operation_.value() + "/step/" + std::to_string(++next_job_));
  job.set_guest_id(guest_.value());
  job.set_generation(generation_);
  job.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(absl::Now() + absl::Minutes(1)));
  job.mutable_time_limit()->set_seconds(30);
  return job;
}

mesh::v1::ServerSettings GuestStage::settings() const {
  mesh::v1::ServerSettings settings;
  settings.set_memory_mib(512);
  settings.set_vcpus(1);
  settings.set_address(place_.address);
  settings.set_port(place_.port);
  settings.set_version_number(SeededVersion().number);
  settings.set_volume_size_gib(1);
  return settings;
}

mesh::v1::Job GuestStage::PrepareJob() {
  mesh::v1::Job job = NewJob();
  mesh::v1::PrepareJob& prepare = *job.mutable_prepare();
  prepare.add_databases()->set_name("shop");
  mesh::v1::GuestUser& user = *prepare.add_users();
  user.set_name("ann");
  user.set_host("%");
  user.add_databases("shop");
  const OperationTarget target = Must(store_->LoadTarget(SomeCall(), operation_));
  const identity::PublicKey key = Must(
      identity::PublicKey::FromRaw(identity::KeyKind::kX25519, target.guest.sealing_public_key));
  user.mutable_password()->set_box(Must(identity::SealTo(key, Secret(password_), guest_.value())));
  *prepare.mutable_settings() = settings();
  return job;
}

mesh::v1::JobEnvelope GuestStage::Sign(const mesh::v1::Job& job) const {
  mesh::v1::JobEnvelope envelope;
  envelope.set_job(job.SerializeAsString());
  const identity::JobSignature signature = Must(signer_.Sign(envelope.job()));
  envelope.set_key_id(signature.key_id);
  envelope.set_signature(signature.signature);
  return envelope;
}

absl::StatusOr<mesh::v1::JobAck> GuestStage::SendEnvelope(const mesh::v1::JobEnvelope& envelope) {
  const Subject subject = Must(GuestJobSubject(guest_));
  absl::StatusOr<std::string> answer = absl::UnavailableError("not sent");
  Eventually(kPatience, [&] {
    answer = task_bus_->Request(CallFor(absl::Seconds(2)), subject, envelope.SerializeAsString());
    return answer.ok();
  });
  if (!answer.ok()) return answer.status();
  mesh::v1::JobAck ack;
  if (!ack.ParseFromString(*answer)) return absl::InternalError("not a JobAck");
  return ack;
}

absl::StatusOr<mesh::v1::JobAck> GuestStage::Send(const mesh::v1::Job& job) {
  return SendEnvelope(Sign(job));
}

absl::StatusOr<mesh::v1::JobAck> GuestStage::Refer(const Subject& subject,
                                                   const std::string& job_id) {
  mesh::v1::JobRef ref;
  ref.set_job_id(job_id);
  ref.set_generation(generation_);
  absl::StatusOr<std::string> answer =
      task_bus_->Request(SomeCall(), subject, ref.SerializeAsString());
  if (!answer.ok()) return answer.status();
  mesh::v1::JobAck ack;
  if (!ack.ParseFromString(*answer)) return absl::InternalError("not a JobAck");
  return ack;
}

absl::StatusOr<mesh::v1::JobAck> GuestStage::Settle(const std::string& job_id) {
  return Refer(Must(GuestSettledSubject(guest_)), job_id);
}

absl::StatusOr<mesh::v1::JobAck> GuestStage::Cancel(const std::string& job_id) {
  return Refer(Must(GuestCancelSubject(guest_)), job_id);
}

void GuestStage::OnReport(const BusMessage& message) {
  mesh::v1::JobReport report;
  if (!report.ParseFromString(message.payload)) return;
  {
    const MutexLock lock(mutex_);
    reports_.push_back(std::move(report));
    if (deaf_) return;
  }
  if (message.can_reply())
    message.reply(mesh::v1::JobReportAck().SerializeAsString()).IgnoreError();  // it repeats
}

int GuestStage::ReportsOf(const std::string& job_id) const {
  const MutexLock lock(mutex_);
  return static_cast<int>(
      std::count_if(reports_.begin(), reports_.end(), [&](const mesh::v1::JobReport& report) {
        return report.job_id() == job_id && IsFinal(report);
      }));
}

bool GuestStage::HeardProgress(const std::string& job_id, const std::string& words) const {
  const MutexLock lock(mutex_);
  return std::any_of(reports_.begin(), reports_.end(), [&](const mesh::v1::JobReport& report) {
    return report.job_id() == job_id && report.progress() == words;
  });
}

std::optional<mesh::v1::JobReport> GuestStage::Result(const std::string& job_id, int seen) {
  if (!Eventually(kPatience, [&] { return ReportsOf(job_id) > seen; })) return std::nullopt;
  const MutexLock lock(mutex_);
  for (const mesh::v1::JobReport& report : reports_) {
    if (report.job_id() == job_id && IsFinal(report) && seen-- == 0) return report;
  }
  return std::nullopt;
}

mesh::v1::JobReport::State GuestStage::Do(const mesh::v1::Job& job) {
  const absl::StatusOr<mesh::v1::JobAck> ack = Send(job);
  if (!ack.ok() || !ack->reason().empty()) {
    std::fprintf(stderr,
                 "the job is not taken: %s %s\n",
                 ack.status().ToString().c_str(),
                 ack.ok() ? ack->ShortDebugString().c_str() : "");
    return mesh::v1::JobReport::STATE_UNSPECIFIED;
  }
  const std::optional<mesh::v1::JobReport> report = Result(job.id());
  if (!report) return mesh::v1::JobReport::STATE_UNSPECIFIED;
  if (report->state() != mesh::v1::JobReport::STATE_SUCCEEDED)
    std::fprintf(stderr, "%s\n", report->ShortDebugString().c_str());
  return report->state();
}

void GuestStage::SetDeaf(bool deaf) {
  const MutexLock lock(mutex_);
  deaf_ = deaf;
}

std::optional<mesh::v1::Heartbeat> GuestStage::heartbeat() const {
  const MutexLock lock(mutex_);
  return heartbeat_;
}

bool GuestStage::AwaitStatus(mesh::v1::ServerStatus status, absl::Duration within) const {
  return Eventually(within, [&] {
    const auto last = heartbeat();
    return last && last->status() == status;
  });
}

keeper::KeeperStatus GuestStage::Processes() const {
  const keeper::KeeperClient keeper(layout_.KeeperSocket(guest_), guest_.value());
  return Must(keeper.GetStatus(SomeCall()));
}

std::string GuestStage::Logs() const {
  std::string logs;
  for (const char* name : {"keeper.log", "agent.log", "mariadbd.log"}) {
    const std::string text = ReadFile(layout_.State(guest_) / name).value_or("(none)");
    logs += std::string("\n== ") + name + "\n" +
            text.substr(text.size() - std::min<std::size_t>(text.size(), 6000));
  }
  return logs;
}

}  // namespace trove::mariadb
