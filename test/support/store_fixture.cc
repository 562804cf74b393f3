#include "test/support/store_fixture.h"

#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"

namespace trove {
namespace {

Operation OperationOf(const std::string& kind, std::vector<std::string> steps) {
  Operation operation;
  operation.id = OperationId(NewUuid());
  operation.kind = kind;
  for (std::string& step : steps)
    operation.steps.push_back({.name = std::move(step)});
  return operation;
}

}  // namespace

Catalogue TestCatalogue() {
  const DatastoreId datastore("22222222-2222-4222-8222-222222222222");
  DatastoreVersion version{kTestVersion, datastore, "mariadb", "10.11", "10.11.6", "mariadb", true};
  Catalogue catalogue;
  catalogue.datastores.push_back({datastore, "mariadb", kTestVersion, {std::move(version)}});
  catalogue.flavors.push_back({kTestFlavor, "small", 512, 1, 0, 0});
  return catalogue;
}

Call SoonCall() {
  return CallFor(absl::Seconds(10));
}

NewInstance WantedInstance(const std::string& project,
                           const std::string& name,
                           int volume_size_gib) {
  NewInstance wanted;
  wanted.instance.id = InstanceId(NewUuid());
  wanted.instance.project_id = ProjectId(project);
  wanted.instance.name = name;
  wanted.instance.version_id = kTestVersion;
  wanted.instance.flavor_id = kTestFlavor;
  wanted.instance.volume_size_gib = volume_size_gib;
  wanted.guest_id = GuestId(NewUuid());
  wanted.volume_id = VolumeId(NewUuid());
  wanted.endpoint_id = EndpointId(NewUuid());
  wanted.operation = OperationOf("instance.create", {"place", "start", "prepare"});
  wanted.quota = InstanceQuota(512, volume_size_gib);
  return wanted;
}

NewAction RestartOf(const InstanceId& instance) {
  return {instance, OperationOf("instance.restart", {"restart"}), TaskStatus::kRebooting, {}};
}

NewAction DeleteOf(const InstanceId& instance) {
  return {instance, OperationOf("instance.delete", {"remove"}), TaskStatus::kDeleting, {}};
}

Requester Tenant(const std::string& project,
                 const std::string& request_id,
                 const std::string& fingerprint) {
  return {ProjectId(project), "user of " + project, false, request_id, fingerprint};
}

StoreFixture::StoreFixture(const MakeStore& make) : store(make(clock)) {
  REQUIRE(store->ImportCatalogue(SoonCall(), TestCatalogue()).ok());
}

Accepted StoreFixture::Create(const std::string& project, const std::string& name) {
  auto accepted = store->CreateInstance(SoonCall(), Tenant(project), WantedInstance(project, name));
  INFO(accepted.status());
  REQUIRE(accepted.ok());
  return *std::move(accepted);
}

InstanceId StoreFixture::Active(const std::string& project, const std::string& name) {
  const Accepted accepted = Create(project, name);
  const WorkerId worker = Worker("builder of " + name);
  const ClaimedOperation claimed = ClaimOne(worker);
  REQUIRE(claimed.operation.id == accepted.operation_id);
  Succeed(
      worker, claimed.operation, {SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kHealthy}});
  REQUIRE(store->ReleaseWorker(SoonCall(), worker).ok());
  return accepted.view.instance.id;
}

WorkerId StoreFixture::Worker(const std::string& name) {
  const WorkerId worker(name);
  const absl::Status renewed = store->RenewWorker(SoonCall(), worker, absl::Seconds(10));
  INFO(renewed);
  REQUIRE(renewed.ok());
  return worker;
}

ClaimedOperation StoreFixture::ClaimOne(const WorkerId& worker) {
  auto claims = store->ClaimDue(SoonCall(), worker, 10);
  INFO(claims.status());
  REQUIRE(claims.ok());
  REQUIRE(claims->operations.size() == 1);
  return std::move(claims->operations.front());
}

void StoreFixture::Succeed(const WorkerId& worker,
                           const Operation& operation,
                           const std::vector<Effect>& effects) {
  OperationWrite write{operation, effects, {}, true};
  write.operation.state = OperationState::kSucceeded;
  const auto written = store->WriteOperation(SoonCall(), worker, write);
  INFO(written.status());
  REQUIRE(written.ok());
}

void StoreFixture::Wait(const WorkerId& worker,
                        Operation operation,
                        const std::string& signal,
                        absl::Time due) {
  operation.state = OperationState::kWaiting;
  operation.awaited_signal = signal;
  operation.reason = "it waits for " + signal;
  operation.waiting_since = clock.Now();
  operation.due_at = due;
  const auto written =
      store->WriteOperation(SoonCall(), worker, {std::move(operation), {}, {}, true});
  INFO(written.status());
  REQUIRE(written.ok());
}

InstanceView StoreFixture::Get(const InstanceId& id) {
  auto view = store->GetInstance(SoonCall(), std::nullopt, id);
  INFO(view.status());
  REQUIRE(view.ok());
  return *std::move(view);
}

std::vector<EventRecord> StoreFixture::Events() {
  const WorkerId relay = Worker("relay " + NewUuid());
  REQUIRE(store->HoldLease(SoonCall(), "events", relay, absl::Seconds(10)).value_or(false));
  REQUIRE(store->StampEvents(SoonCall(), relay, 1000).ok());
  REQUIRE(store->ReleaseWorker(SoonCall(), relay).ok());
  auto events = store->ReadEvents(SoonCall(), std::nullopt, 0, 1000);
  REQUIRE(events.ok());
  return *std::move(events);
}

}  // namespace trove
