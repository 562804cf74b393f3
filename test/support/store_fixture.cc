#include "test/support/store_fixture.h"

#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"

namespace trove {
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
  auto claims = store->ClaimDue(SoonCall(), worker, {10});
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
  auto events = store->ReadEvents(SoonCall(), {}, 0, 1000);
  REQUIRE(events.ok());
  return *std::move(events);
}

}  // namespace trove
