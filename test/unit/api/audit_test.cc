#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/model/errors.h"
#include "services/api/audit_log.h"
#include "test/support/eventually.h"
#include "test/unit/api/served_api.h"

namespace trove::api {
namespace {

using Instances = v1::InstanceService::Stub;
using Stub = v1::AuditService::Stub;

std::vector<v1::AuditRecord> Records(const Actor& admin,
                                     const v1::ListAuditRecordsRequest& request = {}) {
  v1::ListAuditRecordsRequest all = request;
  if (all.page_size() == 0) all.set_page_size(100);
  const auto page = admin(&Stub::ListAuditRecords, all);
  INFO(page.status());
  REQUIRE(page.ok());
  return {page->records().begin(), page->records().end()};
}

// The youngest records of an action, once there are so many.
std::vector<v1::AuditRecord> RecordsOf(const Actor& admin,
                                       const std::string& action,
                                       std::size_t count) {
  std::vector<v1::AuditRecord> found;
  CHECK(Eventually(absl::Seconds(5), [&] {
    found.clear();
    for (const v1::AuditRecord& record : Records(admin))
      if (record.action() == action) found.push_back(record);
    return found.size() >= count;
  }));
  CHECK(found.size() == count);
  return found;
}

TEST_CASE("what is accepted is on record, with how it ended", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  const Actor owner = api.ActAs("p1", "member");
  v1::CreateInstanceRequest request = Orders();
  request.set_request_id("r-1");
  const auto created = owner(&Instances::CreateInstance, request);
  REQUIRE(created.ok());
  v1::AuditRecord record = RecordsOf(admin, "CreateInstance", 1).at(0);
  CHECK(record.project_id() == "p1");
  CHECK(record.user() == "member@p1");
  REQUIRE(record.roles_size() == 1);
  CHECK(record.roles(0) == "member");
  CHECK(record.peer() == "127.0.0.1");
  CHECK(record.resource() == "instances/" + created->id());
  CHECK(record.request_id() == "r-1");
  CHECK(record.outcome() == "ACCEPTED");
  CHECK(record.operation_id() == created->operation_id());
  CHECK(record.operation_state() == "PENDING");
  CHECK(record.has_time());
  api.FinishDue({SetTask{TaskStatus::kNone}});
  record = RecordsOf(admin, "CreateInstance", 1).at(0);
  CHECK(record.operation_state() == "SUCCEEDED");
  // Nobody's password.
  CHECK(record.DebugString().find("s3cr3t-in-clear") == std::string::npos);
}

TEST_CASE("what is refused is on record, with the reason", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  const Actor owner = api.ActAs("p1", "member");
  const Actor reader = api.ActAs("p1", "reader");
  const v1::Instance active = api.Active("p1");

  REQUIRE_FALSE(reader(&Instances::StopInstance, On<v1::StopInstanceRequest>(active.id())).ok());
  v1::AuditRecord record = RecordsOf(admin, "StopInstance", 1).at(0);
  CHECK(record.user() == "reader@p1");
  CHECK(record.outcome() == "PERMISSION_DENIED");
  CHECK(record.resource() == "instances/" + active.id());
  CHECK(record.message().find("member") != std::string::npos);
  CHECK(record.operation_id().empty());

  auto resize = On<v1::ResizeInstanceRequest>(active.id());
  resize.set_flavor_id("1");
  resize.set_request_id("r-2");
  REQUIRE_FALSE(owner(&Instances::ResizeInstance, resize).ok());
  record = RecordsOf(admin, "ResizeInstance", 1).at(0);
  CHECK(record.outcome() == "INVALID_FIELD");
  CHECK(record.request_id() == "r-2");

  v1::CreateInstanceRequest large = Orders();
  large.set_volume_size_gib(99);
  REQUIRE_FALSE(owner(&Instances::CreateInstance, large).ok());
  std::string outcomes;
  for (const v1::AuditRecord& each : RecordsOf(admin, "CreateInstance", 2))
    outcomes += each.outcome() + " " + each.resource().substr(0, 10) + "; ";
  CHECK(outcomes == "VOLUME_TOO_LARGE instances; ACCEPTED instances/; ");

  const Actor nobody = api.ActWith(Secret("trv_nonsense"));
  REQUIRE_FALSE(nobody(&Instances::DeleteInstance, On<v1::DeleteInstanceRequest>("x")).ok());
  record = RecordsOf(admin, "DeleteInstance", 1).at(0);
  CHECK(record.outcome() == "UNAUTHENTICATED");
  CHECK(record.user().empty());
  CHECK(record.project_id().empty());
  CHECK(record.peer() == "127.0.0.1");
}

TEST_CASE("what a stranger sends is recorded in part", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  const Actor nobody = api.ActWith(Secret("trv_nonsense"));
  auto request = On<v1::StopInstanceRequest>(std::string(1'000'000, 'x'));
  request.set_request_id(std::string(1'000'000, 'y'));
  REQUIRE_FALSE(nobody(&Instances::StopInstance, request).ok());
  const v1::AuditRecord record = RecordsOf(admin, "StopInstance", 1).at(0);
  CHECK(record.resource().size() == 500);
  CHECK(record.request_id().size() == 500);
}

TEST_CASE("a read and a plan leave no record", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  const Actor reader = api.ActAs("p1", "reader");
  CHECK(reader(&Instances::ListInstances, {}).ok());
  CHECK_FALSE(reader(&Instances::GetInstance, On<v1::GetInstanceRequest>("nope")).ok());
  auto plan = On<v1::StopInstanceRequest>("nope");
  plan.set_validate_only(true);
  CHECK_FALSE(reader(&Instances::StopInstance, plan).ok());
  // Recorded after those would have been.
  CHECK_FALSE(reader(&Instances::StartInstance, On<v1::StartInstanceRequest>("nope")).ok());
  RecordsOf(admin, "StartInstance", 1);
  CHECK(Records(admin).size() == 1);
}

TEST_CASE("whose request the gateway passes on is believed of the gateway alone", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  const v1::Instance active = api.Active("p1");
  const std::vector<std::pair<std::string, std::string>> says = {{kClientKey, "192.0.2.7"}};
  const auto stop = On<v1::StopInstanceRequest>(active.id());
  const auto start = On<v1::StartInstanceRequest>(active.id());
  const auto restart = On<v1::RestartInstanceRequest>(active.id());
  CHECK(api.ActThrough("gateway", "p1", "member")(&Instances::StopInstance, stop, says).ok());
  CHECK(RecordsOf(admin, "StopInstance", 1).at(0).peer() == "192.0.2.7");
  CHECK_FALSE(
      api.ActThrough("trovectl", "p1", "member")(&Instances::StartInstance, start, says).ok());
  CHECK(RecordsOf(admin, "StartInstance", 1).at(0).peer() == "127.0.0.1");
  CHECK_FALSE(api.ActAs("p1", "member")(&Instances::RestartInstance, restart, says).ok());
  CHECK(RecordsOf(admin, "RestartInstance", 1).at(0).peer() == "127.0.0.1");
}

TEST_CASE("records are for admins, in pages and by filter", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  const v1::Instance one = api.Active("p1");
  const v1::Instance two = api.Active("p2");
  CHECK(absl::IsPermissionDenied(api.ActAs("p1", "member")(&Stub::ListAuditRecords, {}).status()));
  v1::ListAuditRecordsRequest request;
  request.set_project_id("p2");
  CHECK(Records(admin, request).size() == 1);
  request.Clear();
  request.set_user("member@p1");
  CHECK(Records(admin, request).size() == 1);
  request.Clear();
  request.set_resource("instances/" + two.id());
  CHECK(Records(admin, request).size() == 1);
  request.Clear();
  request.set_page_size(1);
  const auto page = admin(&Stub::ListAuditRecords, request);
  REQUIRE(page->records_size() == 1);
  CHECK(page->records(0).project_id() == "p2");
  request.set_page_token(page->next_page_token());
  CHECK(Records(admin, request).at(0).project_id() == "p1");
  request.set_page_token("nonsense");
  CHECK(ReasonOf(admin(&Stub::ListAuditRecords, request).status()).reason == Reason::kInvalidField);
}

TEST_CASE("who is refused over and over fills nothing", "[unit][api]") {
  ServedApi api({.window = absl::Milliseconds(300), .of_a_user = 3, .of_a_stranger = 1});
  const Actor admin = api.ActAs("ops", "admin");
  const Actor reader = api.ActAs("p1", "reader");
  const Actor nobody = api.ActWith(Secret("trv_nonsense"));
  const auto stop = On<v1::StopInstanceRequest>("nope");
  const auto start = On<v1::StartInstanceRequest>("nope");
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(reader(&Instances::StopInstance, stop).ok());
    CHECK_FALSE(nobody(&Instances::StartInstance, start).ok());
  }
  // However the windows fell, all are counted, and most of them together.
  const auto counted = [&](const std::string& action, std::size_t* records) {
    int count = 0;
    *records = 0;
    for (const v1::AuditRecord& record : Records(admin)) {
      if (record.action() != action) continue;
      ++*records;
      const std::size_t more = record.message().find(" more like this");
      count += more == std::string::npos ? 1 : std::stoi(record.message().substr(0, more));
    }
    return count;
  };
  std::size_t of_reader = 0;
  std::size_t of_nobody = 0;
  CHECK(Eventually(absl::Seconds(10), [&] {
    return counted("StopInstance", &of_reader) == 10 && counted("StartInstance", &of_nobody) == 10;
  }));
  CHECK(of_reader < 10);
  CHECK(of_nobody < 10);
}

TEST_CASE("strangers from many addresses are recorded together", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  {
    AuditLog log(api.store(), Log(), {.most_strangers = 2, .capacity = 100});
    for (int i = 0; i < 50; ++i) {
      AuditEntry entry;
      entry.peer = "192.0.2." + std::to_string(i);
      entry.action = "CreateInstance";
      entry.outcome = "UNAUTHENTICATED";
      log.Record(entry);
    }
  }
  // Two by themselves, the first of the others, and the others.
  const std::vector<v1::AuditRecord> records = RecordsOf(admin, "CreateInstance", 4);
  CHECK(records[0].peer().empty());
  CHECK(records[0].message().starts_with("47 more like this"));
}

TEST_CASE("more than can wait is dropped, and nobody waits for it", "[unit][api]") {
  ServedApi api;
  const Actor admin = api.ActAs("ops", "admin");
  {
    AuditLog log(api.store(), Log(), {.of_a_user = 100'000, .capacity = 5});
    AuditEntry entry;
    entry.user = "u";
    entry.action = "CreateInstance";
    entry.outcome = "INVALID_FIELD";
    const absl::Time begun = absl::Now();
    for (int i = 0; i < 10'000; ++i)
      log.Record(entry);
    CHECK(absl::Now() - begun < absl::Seconds(5));
  }
  const std::size_t written = Records(admin).size();
  CHECK(written >= 5);
  CHECK(written <= 100);
}

}  // namespace
}  // namespace trove::api
