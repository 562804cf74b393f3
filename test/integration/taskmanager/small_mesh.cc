#include "test/integration/taskmanager/small_mesh.h"

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
  mesh::v1::TaskWake wake;
  wake.set_operation_id(accepted->operation_id.value());
  buses_.conductor->Publish(AnyCall(), TaskWakeSubject(), wake.SerializeAsString())
      .IgnoreError();  // a hint
}

OperationId SmallMesh::Act(const InstanceId& instance, const std::string& kind, TaskStatus task) {
  const auto accepted =
      store_->BeginAction(AnyCall(), SeededRequester("p1"), NewSeededAction(instance, kind, task));
  TROVE_CHECK(accepted.ok());
  return accepted->operation_id;
}

OperationId SmallMesh::Delete(const InstanceId& instance) {
  const auto accepted =
      store_->BeginDelete(AnyCall(),
                          SeededRequester("p1"),
                          NewSeededAction(instance, "instance.delete", TaskStatus::kDeleting));
  TROVE_CHECK(accepted.ok());
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
