#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "test/support/eventually.h"
#include "test/unit/api/served_api.h"

namespace trove::api {
namespace {

using Instances = v1::InstanceService::Stub;
using Stub = v1::OperationService::Stub;

v1::Operation Get(const Actor& as, const std::string& id) {
  const auto operation = as(&Stub::GetOperation, On<v1::GetOperationRequest>(id));
  INFO(operation.status());
  REQUIRE(operation.ok());
  return *operation;
}

TEST_CASE("an operation shows its steps in words from the beginning", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const auto created = owner(&Instances::CreateInstance, Orders());
  REQUIRE(created.ok());
  const v1::Operation operation = Get(owner, created->operation_id());
  CHECK(operation.kind() == "instance.create");
  CHECK(operation.resource() == "instances/" + created->id());
  REQUIRE(operation.steps_size() == 6);
  CHECK(operation.steps(0).name() == "place");
  CHECK(operation.steps(0).title() == "chooses where it runs");
  CHECK(operation.steps(0).state() == v1::Operation::Step::STATE_PENDING);
  CHECK(operation.current_step() == 0);
  CHECK(operation.cancellable());
  CHECK_FALSE(operation.cancel_requested());
  CHECK(operation.retries() == 0);
}

TEST_CASE("operations are listed youngest first, and filtered", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const Actor other = api.ActAs("p2", "member");
  const Actor admin = api.ActAs("ops", "admin");
  const v1::Instance one = api.Active("p1");
  api.clock().Advance(absl::Seconds(1));
  const v1::Instance two = api.Active("p1", "bills");
  api.clock().Advance(absl::Seconds(1));
  REQUIRE(owner(&Instances::StopInstance, On<v1::StopInstanceRequest>(one.id())).ok());

  const auto kinds = [](const absl::StatusOr<v1::ListOperationsResponse>& page) {
    INFO(page.status());
    REQUIRE(page.ok());
    std::string text;
    for (const v1::Operation& operation : page->operations())
      text += operation.kind() + " ";
    return text;
  };
  v1::ListOperationsRequest all;
  CHECK(kinds(owner(&Stub::ListOperations, all)) ==
        "instance.stop instance.create instance.create ");
  CHECK(kinds(other(&Stub::ListOperations, all)).empty());
  CHECK(kinds(admin(&Stub::ListOperations, all)).empty());
  all.set_all_projects(true);
  CHECK(kinds(admin(&Stub::ListOperations, all)) ==
        "instance.stop instance.create instance.create ");
  CHECK(absl::IsPermissionDenied(owner(&Stub::ListOperations, all).status()));

  v1::ListOperationsRequest some;
  some.set_instance_id(two.id());
  CHECK(kinds(owner(&Stub::ListOperations, some)) == "instance.create ");
  some.Clear();
  some.set_kind("instance.stop");
  CHECK(kinds(owner(&Stub::ListOperations, some)) == "instance.stop ");
  some.Clear();
  some.add_states(v1::Operation::STATE_SUCCEEDED);
  CHECK(kinds(owner(&Stub::ListOperations, some)) == "instance.create instance.create ");

  some.Clear();
  some.set_page_size(2);
  const auto first = owner(&Stub::ListOperations, some);
  CHECK(kinds(first) == "instance.stop instance.create ");
  some.set_page_token(first->next_page_token());
  const auto second = owner(&Stub::ListOperations, some);
  CHECK(kinds(second) == "instance.create ");
  CHECK(second->next_page_token().empty());

  const auto reason = [&](const v1::ListOperationsRequest& request) {
    return ReasonOf(owner(&Stub::ListOperations, request).status()).reason;
  };
  v1::ListOperationsRequest bad;
  bad.set_kind("instance.explode");
  CHECK(reason(bad) == Reason::kInvalidField);
  bad.Clear();
  bad.set_instance_id("nope");
  CHECK(reason(bad) == Reason::kInvalidField);
  bad.Clear();
  bad.add_states(v1::Operation::STATE_UNSPECIFIED);
  CHECK(reason(bad) == Reason::kInvalidField);
  bad.Clear();
  bad.set_page_size(101);
  CHECK(reason(bad) == Reason::kInvalidField);
  bad.Clear();
  bad.set_page_token("nonsense");
  CHECK(reason(bad) == Reason::kInvalidField);
}

TEST_CASE("an operation is cancelled by its project alone, and while it can be", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const Actor other = api.ActAs("p2", "member");
  const Actor reader = api.ActAs("p1", "reader");
  const v1::Instance active = api.Active("p1");
  const auto stopping = owner(&Instances::StopInstance, On<v1::StopInstanceRequest>(active.id()));
  REQUIRE(stopping.ok());
  const auto cancel = On<v1::CancelOperationRequest>(stopping->operation_id());
  CHECK(absl::IsPermissionDenied(reader(&Stub::CancelOperation, cancel).status()));
  CHECK(ReasonOf(other(&Stub::CancelOperation, cancel).status()).reason ==
        Reason::kOperationNotFound);
  const auto asked = owner(&Stub::CancelOperation, cancel);
  INFO(asked.status());
  REQUIRE(asked.ok());
  CHECK(asked->cancel_requested());
  CHECK(owner(&Stub::CancelOperation, cancel).ok());

  const ClaimedOperation claimed = api.ClaimOne();
  CHECK(claimed.operation.cancel_requested);
  OperationWrite write{claimed.operation, {SetTask{TaskStatus::kNone}}, {}, true};
  write.operation.state = OperationState::kCancelled;
  api.Write(write);
  CHECK(ReasonOf(owner(&Stub::CancelOperation, cancel).status()).reason == Reason::kOperationEnded);

  const auto deleting =
      owner(&Instances::DeleteInstance, On<v1::DeleteInstanceRequest>(active.id()));
  REQUIRE(deleting.ok());
  CHECK_FALSE(Get(owner, deleting->operation_id()).cancellable());
  CHECK(ReasonOf(
            owner(&Stub::CancelOperation, On<v1::CancelOperationRequest>(deleting->operation_id()))
                .status())
            .reason == Reason::kNotCancellable);
}

TEST_CASE("an operation that failed is begun again", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const auto created = owner(&Instances::CreateInstance, Orders());
  REQUIRE(created.ok());
  const auto retry = On<v1::RetryOperationRequest>(created->operation_id());
  CHECK(ReasonOf(owner(&Stub::RetryOperation, retry).status()).reason == Reason::kNotRetryable);
  api.FinishDue({SetTask{TaskStatus::kBuildingErrorServer}, SetFault{"no host", ""}},
                OperationState::kFailed);
  const auto failed = owner(&Instances::GetInstance, On<v1::GetInstanceRequest>(created->id()));
  CHECK(failed->status() == v1::Instance::STATUS_ERROR);
  CHECK(failed->reason().last_error() == "no host");

  const auto again = owner(&Stub::RetryOperation, retry);
  INFO(again.status());
  REQUIRE(again.ok());
  CHECK(again->state() == v1::Operation::STATE_PENDING);
  CHECK(again->retries() == 1);
  const auto building = owner(&Instances::GetInstance, On<v1::GetInstanceRequest>(created->id()));
  CHECK(building->status() == v1::Instance::STATUS_BUILD);
  CHECK(building->operation_id() == created->operation_id());
  CHECK(api.ClaimOne().operation.id.value() == created->operation_id());
}

TEST_CASE("a cancel and a retry wake the task managers", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  std::atomic<int> woken = 0;
  const auto created = owner(&Instances::CreateInstance, Orders());
  REQUIRE(created.ok());
  api.FinishDue({SetTask{TaskStatus::kBuildingErrorServer}}, OperationState::kFailed);
  const auto subscription =
      api.bus().Subscribe(SoonCall(), TaskWakeSubject(), {}, [&](const BusMessage&) { ++woken; });
  REQUIRE(subscription.ok());
  const std::string& id = created->operation_id();
  REQUIRE(owner(&Stub::RetryOperation, On<v1::RetryOperationRequest>(id)).ok());
  CHECK(Eventually(absl::Seconds(5), [&] { return woken == 1; }));
  REQUIRE(owner(&Stub::CancelOperation, On<v1::CancelOperationRequest>(id)).ok());
  CHECK(Eventually(absl::Seconds(5), [&] { return woken == 2; }));
}

TEST_CASE("a watch hears of a change at once when the bus tells of it", "[unit][api]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  const auto created = tenant.CreateInstance(SoonCall(), Orders());
  REQUIRE(created.ok());
  std::atomic<int> seen = 0;
  std::thread watcher([&] {
    tenant
        .WatchOperation(SoonCall(), created->operation_id(), [&](const v1::Operation&) { ++seen; })
        .status()
        .IgnoreError();  // what it saw is checked
  });
  CHECK(Eventually(absl::Seconds(5), [&] { return seen == 1; }));
  api.FinishDue({SetTask{TaskStatus::kNone}});
  api.Relay();
  watcher.join();
  CHECK(seen == 2);
}

TEST_CASE("a watch of nothing says so", "[unit][api]") {
  ServedApi api;
  client::Client tenant = api.As("p1", "member");
  CHECK(ReasonOf(tenant.WatchOperation(SoonCall(), "nope", [](const v1::Operation&) {}).status())
            .reason == Reason::kOperationNotFound);
}

}  // namespace
}  // namespace trove::api
