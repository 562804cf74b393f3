#include "test/unit/api/served_api.h"

#include <utility>

#include <catch2/catch.hpp>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/uuid.h"
#include "libtrove/identity/token.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/store/sqlite_store.h"

namespace trove::api {
namespace {

// The manifest's datastore, with a version before and one after its own.
Manifest TestManifest() {
  Manifest manifest = LoadManifest(TROVE_SOURCE_DIR "/agents/mariadb/manifest.yaml").value();
  for (const char* name : {kOlder, kNewer}) {
    DatastoreVersion version = manifest.datastore.versions.front();
    version.id = VersionIdOf("mariadb", name, name);
    version.name = name;
    version.number = name;
    version.engine = std::string("/opt/mariadb-") + name;
    manifest.datastore.versions.push_back(std::move(version));
  }
  return manifest;
}

}  // namespace

Call SoonCall() {
  return CallFor(absl::Seconds(10));
}

v1::CreateInstanceRequest Orders() {
  v1::CreateInstanceRequest request;
  request.set_name("orders");
  request.set_flavor_id("1");
  request.set_volume_size_gib(1);
  request.add_databases()->set_name("shop");
  request.add_users()->set_name("app");
  request.mutable_users(0)->set_password("s3cr3t-in-clear");
  request.mutable_users(0)->add_databases("shop");
  return request;
}

ServedApi::ServedApi(const AuditLog::Options& audit) {
  store_ = OpenSqliteStore({.path = ":memory:", .clock = &clock_}).value();
  const Manifest manifest = TestManifest();
  REQUIRE(store_
              ->ImportCatalogue(SoonCall(),
                                {.datastores = {manifest.datastore}, .flavors = DefaultFlavors()})
              .ok());
  CreateRules rules;
  rules.manifests = {manifest};
  rules.default_datastore = "mariadb";
  api_ = std::make_unique<Api>(
      Api::Base{.store = *store_, .bus = bus_, .clock = clock_, .master_key = key_},
      Api::Options{.mesh_id = mesh_.mesh_id(), .rules = rules, .writers = 2, .audit = audit},
      Log());
  server_ = rpc::Server::Start({.mesh_id = mesh_.mesh_id(),
                                .listeners = {{.kind = rpc::ListenerKind::kPublic,
                                               .address = "127.0.0.1:0",
                                               .tls = mesh_.Endpoint()},
                                              {.kind = rpc::ListenerKind::kMesh,
                                               .address = "127.0.0.1:0",
                                               .tls = mesh_.Service("api")}}},
                               api_->services())
                .value();
}

Secret ServedApi::NewToken(const std::string& project, const std::string& role) {
  Secret token = identity::NewTenantToken();
  REQUIRE(store_
              ->PutToken(SoonCall(),
                         {.hash = identity::HashToken(token),
                          .project_id = ProjectId(project),
                          .user = role + "@" + project,
                          .roles = {role}})
              .ok());
  return token;
}

client::Client ServedApi::As(const std::string& project, const std::string& role) {
  return WithToken(NewToken(project, role));
}

client::Client ServedApi::WithToken(const Secret& token) {
  return client::Client(
      {.endpoint = server_->address(0), .token = token, .ca_pem = mesh_.endpoint_authority_pem()});
}

Actor ServedApi::ActAs(const std::string& project, const std::string& role) {
  return ActWith(NewToken(project, role));
}

Actor ServedApi::ActWith(const Secret& token) {
  return {rpc::PublicChannel(server_->address(0), mesh_.endpoint_authority_pem()), token};
}

Actor ServedApi::ActThrough(const std::string& service,
                            const std::string& project,
                            const std::string& role) {
  return {
      rpc::MeshChannel(server_->address(1), mesh_.ServiceIdentity("api"), *mesh_.Service(service)),
      NewToken(project, role)};
}

const WorkerId& ServedApi::Worker() {
  absl::Status renewed = store_->RenewWorker(SoonCall(), worker_, absl::Hours(1));
  if (absl::IsAborted(renewed)) {
    worker_ = WorkerId(NewUuid());
    renewed = store_->RenewWorker(SoonCall(), worker_, absl::Hours(1));
  }
  INFO(renewed);
  REQUIRE(renewed.ok());
  return worker_;
}

ClaimedOperation ServedApi::ClaimOne() {
  auto claims = store_->ClaimDue(SoonCall(), Worker(), {.operations = 10});
  INFO(claims.status());
  REQUIRE(claims.ok());
  REQUIRE(claims->operations.size() == 1);
  return std::move(claims->operations.front());
}

void ServedApi::Write(const OperationWrite& write) {
  const auto written = store_->WriteOperation(SoonCall(), worker_, write);
  INFO(written.status());
  REQUIRE(written.ok());
}

void ServedApi::FinishDue(const std::vector<Effect>& effects, OperationState state) {
  const ClaimedOperation claimed = ClaimOne();
  OperationWrite write{claimed.operation, effects, {}, true};
  write.operation.state = state;
  if (state == OperationState::kFailed) write.operation.error = "for the test";
  Write(write);
}

v1::Instance ServedApi::Active(const std::string& project, const std::string& name) {
  v1::CreateInstanceRequest request = Orders();
  request.set_name(name);
  const Actor owner = ActAs(project, "member");
  const auto created = owner(&v1::InstanceService::Stub::CreateInstance, request);
  INFO(created.status());
  REQUIRE(created.ok());
  FinishDue({PlaceGuest{"process:test", "unix:/tmp/" + created->id(), 0},
             SetVolumeState{VolumeState::kReady},
             SetTask{TaskStatus::kNone},
             SetService{ServiceStatus::kHealthy}});
  const auto active =
      owner(&v1::InstanceService::Stub::GetInstance, On<v1::GetInstanceRequest>(created->id()));
  REQUIRE(active.ok());
  REQUIRE(active->status() == v1::Instance::STATUS_ACTIVE);
  return *active;
}

void ServedApi::Change(const v1::Instance& instance, const std::vector<Effect>& effects) {
  NewAction action;
  action.instance_id = InstanceId(instance.id());
  action.operation.id = OperationId(NewUuid());
  action.operation.kind = "instance.restart";
  action.operation.instance_id = action.instance_id;
  action.operation.steps = {{.name = "restart"}};
  action.task = TaskStatus::kRebooting;
  action.guard = ActionGuard::kBuilt;
  const auto begun = store_->BeginAction(
      SoonCall(),
      {.project_id = ProjectId(instance.project_id()), .user = "test", .admin = true},
      action);
  INFO(begun.status());
  REQUIRE(begun.ok());
  FinishDue(effects);
}

std::vector<EventRecord> ServedApi::Relay(bool publish) {
  const WorkerId worker = Worker();
  REQUIRE(store_->HoldLease(SoonCall(), "events", worker, absl::Seconds(10)).value_or(false));
  REQUIRE(store_->StampEvents(SoonCall(), worker, 1000).ok());
  auto events = store_->ReadEvents(SoonCall(), {}, published_, 1000);
  REQUIRE(events.ok());
  if (!publish || events->empty()) return *std::move(events);
  REQUIRE(bus_.EnsureEventStream(SoonCall()).ok());
  for (const EventRecord& event : *events) {
    mesh::v1::Event message;
    message.set_subject(event.resource + "/" + event.resource_id);
    message.set_position(event.position);
    const auto subject = EventSubject(event.project_id, event.resource, event.resource_id);
    REQUIRE(subject.ok());
    REQUIRE(bus_.PublishEvent(SoonCall(), *subject, message.SerializeAsString(), event.id).ok());
  }
  published_ = events->back().position;
  return *std::move(events);
}

std::string ServedApi::Everything(const std::string& project) {
  Relay(/*publish=*/false);
  const Actor admin = ActAs(project, "admin");
  std::string text;
  const auto add = [&](const auto& answer) {
    INFO(answer.status());
    REQUIRE(answer.ok());
    text += answer->DebugString();
  };
  v1::ListEventsRequest events;
  events.set_page_size(100);
  events.set_all_projects(true);
  v1::ListOperationsRequest operations;
  operations.set_page_size(100);
  operations.set_all_projects(true);
  v1::ListAuditRecordsRequest audit;
  audit.set_page_size(100);
  add(admin(&v1::InstanceService::Stub::ListInstances, {}));
  add(admin(&v1::OperationService::Stub::ListOperations, operations));
  add(admin(&v1::ConfigurationService::Stub::ListConfigurations, {}));
  add(admin(&v1::LimitsService::Stub::GetLimits, {}));
  add(admin(&v1::EventService::Stub::ListEvents, events));
  add(admin(&v1::AuditService::Stub::ListAuditRecords, audit));
  return text;
}

}  // namespace trove::api
