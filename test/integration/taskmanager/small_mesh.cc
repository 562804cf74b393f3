#include "test/integration/taskmanager/small_mesh.h"

#include <cstdio>
#include <map>
#include <sstream>
#include <utility>

#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/base/check.h"
#include "libtrove/base/uuid.h"
#include "libtrove/identity/token.h"
#include "libtrove/model/instance_state.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

Call AnyCall() {
  return CallFor(absl::Seconds(20));
}

identity::JobSigner MakeSigner() {
  auto key = identity::PrivateKey::Generate(identity::KeyKind::kEd25519);
  TROVE_CHECK(key.ok());
  auto signer = identity::JobSigner::Make(*std::move(key));
  TROVE_CHECK(signer.ok());
  return *std::move(signer);
}

}  // namespace

SmallMesh::SmallMesh(const Buses& buses, SimulatedGuests::Options guest_options)
    : buses_(buses),
      store_(OpenSeededStore(folder_ / "trove.db", clock_)),
      master_key_(identity::MasterKey::Generate()),
      signer_(MakeSigner()) {
  Catalogue catalogue;
  auto datastores = store_->ListDatastores(AnyCall());
  TROVE_CHECK(datastores.ok() && datastores->size() == 1);
  datastores->front().versions.push_back(NewerVersion());
  catalogue.datastores = *std::move(datastores);
  TROVE_CHECK(store_->ImportCatalogue(AnyCall(), catalogue).ok());
  auto verifier = identity::JobVerifier::FromPems({signer_.public_key_pem()});
  TROVE_CHECK(verifier.ok());
  guest_options.verifier = *std::move(verifier);
  // The conductor's door without gRPC.
  guest_options.enrol = [this](const Call& call, const SimulatedGuests::Enrolment& enrolment) {
    EnrolmentRequest request;
    request.guest_id = enrolment.guest;
    request.token_hash = identity::HashToken(enrolment.token);
    request.keys_fingerprint = enrolment.nkey_public;
    request.nkey_public = enrolment.nkey_public;
    request.sealing_public_key = enrolment.sealing_public_key;
    return store_->EnrolGuest(call, request).status();
  };
  guest_options.on_upgrade = [this](const GuestId& guest) {
    provisioner.WriteTo(guest);
  };
  guests = std::make_unique<SimulatedGuests>(*buses_.guests, std::move(guest_options));
  TROVE_CHECK(guests->Listen(AnyCall()).ok());
  provisioner.SetWatcher(guests.get());
  watch_ = std::make_unique<conductor::GuestWatch>(*store_,
                                                   *buses_.conductor,
                                                   clock_,
                                                   WorkerId("conductor-" + NewUuid()),
                                                   absl::Minutes(1),
                                                   Log());
  TROVE_CHECK(watch_->Start(AnyCall()).ok());
  reports_ = std::make_unique<conductor::JobReports>(*store_, *buses_.conductor, Log());
  TROVE_CHECK(reports_->Start(AnyCall()).ok());
  options.mesh_id = "0a1b2c3d";
  options.mesh.conductor_enrol_address = "127.0.0.1:1";
  options.mesh.nats_url = "tls://127.0.0.1:2";
  options.jobs.retry_unsent = absl::Milliseconds(200);
  options.jobs.ask_again = absl::Milliseconds(500);
}

SmallMesh::~SmallMesh() {
  provisioner.SetWatcher(nullptr);
  task_managers_.clear();
  guests.reset();
}

TaskManager& SmallMesh::StartTaskManager() {
  stores_.push_back(OpenSeededStore(folder_ / "trove.db", clock_));
  if (wrap_store) stores_.back() = wrap_store(std::move(stores_.back()));
  auto started = TaskManager::Start(AnyCall(),
                                    *stores_.back(),
                                    *buses_.task_manager,
                                    provisioner,
                                    clock_,
                                    signer_,
                                    master_key_,
                                    options);
  TROVE_CHECK(started.ok());
  task_managers_.push_back(*std::move(started));
  return *task_managers_.back();
}

void SmallMesh::StopTaskManager() {
  task_managers_.erase(task_managers_.begin());
}

NewInstance SmallMesh::NewCreate(const std::string& project) {
  NewInstance made = NewSeededInstance(project, "instance.create");
  mesh::v1::OperationInput input;
  input.mutable_create()->add_databases()->set_name("shop");
  mesh::v1::RequestedUser& user = *input.mutable_create()->add_users();
  user.set_name("ann");
  user.add_databases("shop");
  auto sealed = master_key_.Seal(Secret("secret"), made.operation.id.value());
  TROVE_CHECK(sealed.ok());
  user.mutable_password()->set_box(*sealed);
  made.operation.input = input.SerializeAsString();
  return made;
}

void SmallMesh::Create(const NewInstance& instance) {
  const auto accepted = store_->CreateInstance(
      AnyCall(), SeededRequester(instance.instance.project_id.value()), instance);
  TROVE_CHECK(accepted.ok());
  Wake(accepted->operation_id);
}

void SmallMesh::Wake(const OperationId& operation) {
  mesh::v1::TaskWake wake;
  wake.set_operation_id(operation.value());
  buses_.conductor->Publish(AnyCall(), TaskWakeSubject(), wake.SerializeAsString())
      .IgnoreError();  // a hint
}

OperationId SmallMesh::Begin(const NewAction& action) {
  const auto accepted = store_->BeginAction(AnyCall(), SeededRequester("p1"), action);
  if (!accepted.ok()) std::fprintf(stderr, "%s\n", accepted.status().ToString().c_str());
  TROVE_CHECK(accepted.ok());
  Wake(accepted->operation_id);
  return accepted->operation_id;
}

absl::Status SmallMesh::Cancel(const OperationId& operation) {
  const absl::Status accepted =
      store_->CancelOperation(AnyCall(), SeededRequester("p1"), operation).status();
  Wake(operation);
  return accepted;
}

absl::Status SmallMesh::Retry(const OperationId& operation) {
  const absl::Status accepted =
      store_->RetryOperation(AnyCall(), SeededRequester("p1"), operation).status();
  Wake(operation);
  return accepted;
}

DatastoreVersion SmallMesh::NewerVersion() {
  DatastoreVersion version = SeededVersion();
  version.id = VersionId("0d6a3c1e-5b7e-5a51-9a53-6d1c0f4b8a11");
  version.name = "11.4";
  version.number = "11.4.2";
  version.engine = "/opt/mariadb-11.4";
  return version;
}

std::string SmallMesh::Picture(const NewInstance& instance) {
  std::ostringstream picture;
  const auto view = View(instance.instance.id);
  if (!view.ok()) {
    picture << "no instance\n";
  } else {
    const Instance& shown = view->instance;
    picture << "instance " << ShownStatusName(ShownStatusOf(shown, false)) << " task "
            << static_cast<int>(shown.task) << " service " << static_cast<int>(shown.service)
            << " flavor " << shown.flavor_id.value() << " size " << shown.volume_size_gib
            << " version " << shown.version_id.value() << " group "
            << (shown.configuration_id ? shown.configuration_id->value() : "none") << "\n";
  }
  const auto quotas = store_->GetQuotas(AnyCall(), instance.instance.project_id);
  TROVE_CHECK(quotas.ok());
  for (const Quota& quota : *quotas)
    picture << QuotaResourceName(quota.resource) << " " << quota.in_use << "+" << quota.reserved
            << "\n";
  const bool made = provisioner.guests().contains(instance.guest_id);
  const bool running = provisioner.running().contains(instance.guest_id);
  picture << "guest " << made << running;
  if (const auto limits = provisioner.limits(instance.guest_id))
    picture << " limits " << limits->ram_mib << "/" << limits->vcpus;
  picture << " volume " << provisioner.volume_size_gib(instance.volume_id) << " content "
          << provisioner.content(instance.volume_id) << " snapshots "
          << provisioner.snapshots().size() << " ports";
  for (const auto& [port, guest] : provisioner.ports())
    if (guest == instance.guest_id) picture << " " << port;
  const mesh::v1::ServerSettings settings = guests->settings(instance.guest_id);
  picture << "\nserver " << mesh::v1::ServerStatus_Name(guests->status(instance.guest_id))
          << " memory " << settings.memory_mib() << " engine " << settings.engine() << " number "
          << settings.version_number() << " size " << settings.volume_size_gib();
  const std::map<std::string, std::string> parameters(settings.parameters().begin(),
                                                      settings.parameters().end());
  for (const auto& [name, value] : parameters)
    picture << " " << name << "=" << value;
  return picture.str() + "\n";
}

OperationId SmallMesh::Act(const InstanceId& instance, const std::string& kind, TaskStatus task) {
  const auto accepted =
      store_->BeginAction(AnyCall(), SeededRequester("p1"), NewSeededAction(instance, kind, task));
  TROVE_CHECK(accepted.ok());
  Wake(accepted->operation_id);
  return accepted->operation_id;
}

OperationId SmallMesh::Delete(const InstanceId& instance) {
  const auto accepted =
      store_->BeginDelete(AnyCall(),
                          SeededRequester("p1"),
                          NewSeededAction(instance, "instance.delete", TaskStatus::kDeleting));
  TROVE_CHECK(accepted.ok());
  Wake(accepted->operation_id);
  return accepted->operation_id;
}

Operation SmallMesh::Get(const OperationId& operation) {
  auto got = store_->GetOperation(AnyCall(), std::nullopt, operation);
  TROVE_CHECK(got.ok());
  return *std::move(got);
}

absl::StatusOr<InstanceView> SmallMesh::View(const InstanceId& instance) {
  return store_->GetInstance(AnyCall(), std::nullopt, instance);
}

bool SmallMesh::Ends(const OperationId& operation) {
  return Eventually(kPatience, [&] { return IsEnded(Get(operation).state); });
}

bool SmallMesh::BecomesActive(const NewInstance& instance) {
  if (!Ends(instance.operation.id)) return false;
  const auto view = View(instance.instance.id);
  return view.ok() && ShownStatusOf(view->instance, false) == ShownStatus::kActive;
}

}  // namespace trove::taskmanager
