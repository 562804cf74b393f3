#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

const DatastoreId kDatastore("22222222-2222-4222-8222-222222222222");

Requester Asking(const std::string& project, const std::string& action) {
  Requester requester = Tenant(project);
  requester.roles = {"member", "reader"};
  requester.peer = "192.0.2.7";
  requester.action = action;
  return requester;
}

std::vector<OperationId> IdsOf(const OperationPage& page) {
  std::vector<OperationId> ids;
  for (const Operation& operation : page.operations)
    ids.push_back(operation.id);
  return ids;
}

std::vector<AuditEntry> Audit(StoreFixture& mesh, const AuditFilter& filter) {
  auto entries = mesh.store->ListAudit(SoonCall(), filter, 0, 100);
  INFO(entries.status());
  REQUIRE(entries.ok());
  return *std::move(entries);
}

void CheckLists(const MakeStore& make) {
  SECTION("operations are listed youngest first, page by page, with their steps") {
    StoreFixture mesh(make);
    std::vector<OperationId> made;
    for (int i = 0; i < 5; ++i)
      made.insert(made.begin(), mesh.Create("p", "db").operation_id);
    mesh.Create("q", "other");
    std::vector<OperationId> listed;
    std::string next;
    int pages = 0;
    do {
      const auto page =
          mesh.store->ListOperations(SoonCall(), {.project = ProjectId("p")}, next, 2);
      REQUIRE(page.ok());
      for (const Operation& operation : page->operations) {
        CHECK(operation.steps.size() == 3);
        CHECK(operation.input.empty());
        listed.push_back(operation.id);
      }
      next = page->next;
      ++pages;
      mesh.Create("p2", "comes while pages are turned");
    } while (!next.empty());
    CHECK(pages == 3);
    CHECK(listed == made);
    CHECK(mesh.store->ListOperations(SoonCall(), {}, "", 100)->operations.size() == 9);
    for (const char* wrong : {"x", "o", "o-1", "12", "ozz!"}) {
      CHECK(ReasonOf(mesh.store->ListOperations(SoonCall(), {}, wrong, 2).status()).reason ==
            Reason::kInvalidField);
    }
  }
  SECTION("a list is narrowed by instance, kind and state") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    const NewAction restart = RestartOf(id);
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), restart).ok());
    const OperationId other = mesh.Create("p", "other").operation_id;
    const auto list = [&](const OperationFilter& filter) {
      const auto page = mesh.store->ListOperations(SoonCall(), filter, "", 10);
      INFO(page.status());
      REQUIRE(page.ok());
      return IdsOf(*page);
    };
    const ProjectId p("p");
    using Ids = std::vector<OperationId>;
    CHECK(list({.project = p, .instance = id}).size() == 2);
    CHECK(list({.project = ProjectId("q"), .instance = id}).empty());
    CHECK(list({.project = p, .kind = "instance.restart"}) == Ids{restart.operation.id});
    CHECK(list({.states = {OperationState::kPending, OperationState::kRunning}}) ==
          Ids{other, restart.operation.id});
    CHECK(list({.project = p, .states = {OperationState::kPending}}) ==
          Ids{other, restart.operation.id});
    CHECK(list({.project = p, .states = {OperationState::kSucceeded}}).size() == 1);
    CHECK(list({.states = {OperationState::kFailed}}).empty());
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).ok());
    const std::vector<OperationState> stopped = {OperationState::kFailed,
                                                 OperationState::kCancelled};
    CHECK(list({.states = stopped}) == Ids{restart.operation.id});
    CHECK(list({.project = p, .states = stopped}) == Ids{restart.operation.id});
  }
  SECTION("how long steps took is told of the last that succeeded") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    for (int seconds = 1; seconds <= 3; ++seconds) {
      mesh.Create("p", "db");
      Operation operation = mesh.ClaimOne(worker).operation;
      operation.steps[0].started_at = mesh.clock.Now();
      mesh.clock.Advance(absl::Seconds(seconds));
      operation.steps[0].finished_at = mesh.clock.Now();
      mesh.Succeed(worker, operation);
    }
    const auto took = mesh.store->GetStepDurations(SoonCall(), "instance.create", kDatastore, 2);
    REQUIRE(took.ok());
    CHECK(took->operations == 2);
    CHECK(took->by_step == std::map<std::string, std::vector<absl::Duration>>{
                               {"place", {absl::Seconds(3), absl::Seconds(2)}}});
    CHECK(mesh.store->GetStepDurations(SoonCall(), "instance.create", DatastoreId("x"), 2)
              ->operations == 0);
    CHECK(mesh.store->GetStepDurations(SoonCall(), "instance.grow", kDatastore, 2)->operations ==
          0);
  }
}

void CheckAudit(const MakeStore& make) {
  SECTION("what is accepted is recorded with who asked, and with what came of it") {
    StoreFixture mesh(make);
    const NewInstance wanted = WantedInstance("p", "db");
    Requester requester = Asking("p", "CreateInstance");
    requester.request_id = "r1";
    REQUIRE(mesh.store->CreateInstance(SoonCall(), requester, wanted).ok());
    REQUIRE(mesh.store->CreateInstance(SoonCall(), requester, wanted).ok());
    std::vector<AuditEntry> entries = Audit(mesh, {});
    REQUIRE(entries.size() == 2);
    const AuditEntry& first = entries[1];
    CHECK(first.id == 1);
    CHECK(first.at == mesh.clock.Now());
    CHECK(first.project_id == ProjectId("p"));
    CHECK(first.user == "user of p");
    CHECK(first.roles == std::vector<std::string>{"member", "reader"});
    CHECK(first.peer == "192.0.2.7");
    CHECK(first.action == "CreateInstance");
    CHECK(first.resource == "instances/" + wanted.instance.id.value());
    CHECK(first.request_id == "r1");
    CHECK(first.outcome == "ACCEPTED");
    CHECK(first.message.empty());
    CHECK(first.operation_id == wanted.operation.id);
    CHECK(first.operation_state == OperationState::kPending);
    CHECK_FALSE(entries[0].message.empty());
    CHECK(entries[0].operation_id == wanted.operation.id);
    const WorkerId worker = mesh.Worker("w");
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation);
    CHECK(Audit(mesh, {})[0].operation_state == OperationState::kSucceeded);
  }
  SECTION("every change that somebody asks for is recorded, and no refusal by itself") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    Configuration group;
    group.id = ConfigurationId("c");
    group.project_id = ProjectId("p");
    group.version_id = kTestVersion;
    const NewAction restart = RestartOf(id);
    REQUIRE(mesh.store->CreateConfiguration(SoonCall(), Tenant("p"), group).ok());
    REQUIRE(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p"), group.id).ok());
    CHECK_FALSE(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p"), group.id).ok());
    REQUIRE(mesh.store->RenameInstance(SoonCall(), Tenant("p"), id, "new").ok());
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), restart).ok());
    CHECK_FALSE(mesh.store->BeginAction(SoonCall(), Tenant("p"), RestartOf(id)).ok());
    REQUIRE(mesh.store->CancelOperation(SoonCall(), Tenant("p"), restart.operation.id).ok());
    const WorkerId worker = mesh.Worker("w");
    Operation operation = mesh.ClaimOne(worker).operation;
    operation.state = OperationState::kFailed;
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, true}).ok());
    REQUIRE(mesh.store->RetryOperation(SoonCall(), Tenant("p"), restart.operation.id).ok());
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).ok());
    REQUIRE(
        mesh.store->PutTokenOnce(SoonCall(), Tenant("p"), {"h", ProjectId("p"), "u", {}}, "").ok());
    std::vector<std::string> actions;
    for (const AuditEntry& entry : Audit(mesh, {}))
      actions.insert(actions.begin(), entry.action);
    CHECK(actions == std::vector<std::string>{"CreateInstance",
                                              "CreateConfiguration",
                                              "DeleteConfiguration",
                                              "RenameInstance",
                                              "BeginAction",
                                              "CancelOperation",
                                              "RetryOperation",
                                              "DeleteInstance",
                                              "CreateToken"});
  }
  SECTION("a refusal that is recorded is listed beside the rest") {
    StoreFixture mesh(make);
    mesh.Create("p", "db");
    AuditEntry refused;
    refused.project_id = ProjectId("q");
    refused.user = "mallory";
    refused.action = "DeleteInstance";
    refused.resource = "instances/x";
    refused.outcome = "PERMISSION_DENIED";
    refused.message = "it is not yours";
    REQUIRE(mesh.store->RecordAudit(SoonCall(), refused).ok());
    mesh.Create("q", "db");
    CHECK(Audit(mesh, {}).size() == 3);
    CHECK(Audit(mesh, {.project = ProjectId("q")}).size() == 2);
    CHECK(Audit(mesh, {.project = ProjectId("q"), .user = "mallory"}).size() == 1);
    CHECK(Audit(mesh, {.project = ProjectId("p"), .user = "mallory"}).empty());
    CHECK(Audit(mesh, {.user = "mallory", .resource = "instances/x"}).size() == 1);
    CHECK(Audit(mesh, {.project = ProjectId("p"), .resource = "instances/x"}).empty());
    const std::vector<AuditEntry> found = Audit(mesh, {.resource = "instances/x"});
    REQUIRE(found.size() == 1);
    CHECK(found[0].outcome == "PERMISSION_DENIED");
    CHECK(found[0].message == "it is not yours");
    CHECK_FALSE(found[0].operation_state);
    const auto older = mesh.store->ListAudit(SoonCall(), {}, found[0].id, 10);
    REQUIRE(older.ok());
    CHECK(older->size() == 1);
    CHECK(mesh.store->ListAudit(SoonCall(), {}, 0, 2)->size() == 2);
  }
}

void CheckPurge(const MakeStore& make) {
  SECTION("what has ended is forgotten after its time, a little at once") {
    StoreFixture mesh(make);
    const WorkerId worker = mesh.Worker("w");
    for (int i = 0; i < 3; ++i) {
      mesh.Create("p", "db");
      mesh.Succeed(worker, mesh.ClaimOne(worker).operation);
    }
    const OperationId open = mesh.Create("p", "open").operation_id;
    const auto kept = [&] {
      return mesh.store->ListOperations(SoonCall(), {}, "", 100)->operations.size();
    };
    mesh.clock.Advance(absl::Hours(24 * 30) - absl::Seconds(1));
    CHECK(mesh.store->Purge(SoonCall(), Retention{}, 2).value() == 0);
    CHECK(kept() == 4);
    mesh.clock.Advance(absl::Seconds(2));
    CHECK(mesh.store->Purge(SoonCall(), Retention{}, 2).value() == 2);
    CHECK(mesh.store->Purge(SoonCall(), Retention{}, 2).value() == 1);
    CHECK(mesh.store->Purge(SoonCall(), Retention{}, 2).value() == 0);
    CHECK(kept() == 1);
    CHECK(mesh.store->GetOperation(SoonCall(), std::nullopt, open).ok());
    CHECK(Audit(mesh, {}).size() == 4);
    CHECK_FALSE(Audit(mesh, {})[3].operation_state);
    mesh.clock.Advance(absl::Hours(24 * 60));
    CHECK(mesh.store->Purge(SoonCall(), Retention{}, 100).value() == 4);
    CHECK(Audit(mesh, {}).empty());
  }
}

void CheckReading(const MakeStore& make) {
  SECTION("events are read of a project, a resource or one thing") {
    StoreFixture mesh(make);
    const Accepted one = mesh.Create("p", "one");
    mesh.Create("p", "two");
    mesh.Create("q", "three");
    CHECK(mesh.store->LastPosition(SoonCall()).value() == 0);
    CHECK(mesh.Events().size() == 6);
    CHECK(mesh.store->LastPosition(SoonCall()).value() == 6);
    const auto count = [&](const EventFilter& filter, std::int64_t after = 0) {
      return mesh.store->ReadEvents(SoonCall(), filter, after, 100).value().size();
    };
    const ProjectId p("p");
    CHECK(count({.project = p}) == 4);
    CHECK(count({.project = p, .resource = "instances"}) == 2);
    CHECK(count({.resource = "operations"}) == 3);
    CHECK(count({.resource = "operations"}, 3) == 1);
    const std::string id = one.view.instance.id.value();
    CHECK(count({.project = p, .resource = "instances", .resource_id = id}) == 1);
    CHECK(count({.resource_id = id}) == 1);
    CHECK(count({.project = ProjectId("q"), .resource_id = id}) == 0);
    CHECK(count({.project = p, .resource = "operations", .resource_id = id}) == 0);
  }
  SECTION("a reader that is too far behind is told so") {
    StoreFixture mesh(make);
    mesh.Create("p", "one");
    mesh.Events();
    mesh.clock.Advance(absl::Hours(24 * 7) + absl::Seconds(1));
    mesh.Create("p", "two");
    const WorkerId relay = mesh.Worker("last relay");
    REQUIRE(mesh.store->HoldLease(SoonCall(), "events", relay, absl::Seconds(10)).value());
    REQUIRE(mesh.store->StampEvents(SoonCall(), relay, 10).ok());
    REQUIRE(mesh.store->MarkPublished(SoonCall(), relay, 4).ok());
    const absl::Status gone = mesh.store->ReadEvents(SoonCall(), {}, 1, 10).status();
    CHECK(ReasonOf(gone).reason == Reason::kEventsGone);
    CHECK(gone.message().find("position 3") != absl::string_view::npos);
    CHECK(mesh.store->ReadEvents(SoonCall(), {}, 0, 10).value().size() == 2);
    CHECK(mesh.store->ReadEvents(SoonCall(), {}, 2, 10).value().size() == 2);
  }
  SECTION("a write that changes nothing worth seeing tells nothing") {
    StoreFixture mesh(make);
    mesh.Create("p", "db");
    const WorkerId worker = mesh.Worker("w");
    Operation operation = mesh.ClaimOne(worker).operation;
    const std::size_t before = mesh.Events().size();
    const auto write = [&] {
      REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, {operation, {}, {}, false}).ok());
      return mesh.Events();
    };
    operation.memory = "remembered";
    CHECK(write().size() == before);
    operation.reason = "it waits for the guest";
    CHECK(write().size() == before + 1);
    operation.current_step = 1;
    const std::vector<EventRecord> events = write();
    REQUIRE(events.size() == before + 2);
    CHECK(events.back().type == "trove.operation.progressed");
    CHECK(events.back().resource_version == 5);
    CHECK(events.back().data.find(R"("step":"start","reason":"it waits for the guest")") !=
          std::string::npos);
  }
}

void CheckEffects(const MakeStore& make) {
  SECTION("a resize, a growth and an upgrade change what the instance is and costs") {
    StoreFixture mesh(make);
    Catalogue more = TestCatalogue();
    more.flavors.push_back({FlavorId("2"), "large", 1024, 2, 0, 0});
    DatastoreVersion newer = more.datastores[0].versions[0];
    newer.id = VersionId("33333333-3333-4333-8333-333333333333");
    newer.name = newer.number = "11.4";
    newer.engine = "/opt/mariadb-11.4";
    more.datastores[0].versions.push_back(newer);
    REQUIRE(mesh.store->ImportCatalogue(SoonCall(), more).ok());
    const InstanceId id = mesh.Active("p", "db");
    const NewAction action = RestartOf(id);
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), action).ok());
    const WorkerId worker = mesh.Worker("w");
    const Operation operation = mesh.ClaimOne(worker).operation;
    REQUIRE(mesh.store
                ->WriteOperation(SoonCall(),
                                 worker,
                                 {operation,
                                  {SetFlavor{FlavorId("2")},
                                   SetVolumeSize{5},
                                   SetVersion{newer.id},
                                   SetCharge{QuotaResource::kRam, 1024},
                                   SetCharge{QuotaResource::kVolumes, 5}},
                                  {},
                                  false})
                .ok());
    const auto target = mesh.store->LoadTarget(SoonCall(), operation.id);
    REQUIRE(target.ok());
    CHECK(target->flavor.ram_mib == 1024);
    CHECK(target->instance.volume_size_gib == 5);
    CHECK(target->volume.size_gib == 5);
    CHECK(target->version == newer);
    const auto quotas = mesh.store->GetQuotas(SoonCall(), ProjectId("p"));
    CHECK((*quotas)[1].in_use == 1024);
    CHECK((*quotas)[2].in_use == 5);
    mesh.Succeed(worker, operation, {BuryInstance{}});
    const auto after = mesh.store->GetQuotas(SoonCall(), ProjectId("p"));
    REQUIRE(after.ok());
    for (const Quota& quota : *after)
      CHECK(quota.in_use == 0);
  }
  SECTION("a guest that begins a new life keeps its place alone") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Active("p", "db");
    const NewAction action = RestartOf(id);
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), action).ok());
    const WorkerId worker = mesh.Worker("w");
    const Operation operation = mesh.ClaimOne(worker).operation;
    const auto write = [&](std::vector<Effect> effects) {
      REQUIRE(
          mesh.store->WriteOperation(SoonCall(), worker, {operation, std::move(effects), {}, false})
              .ok());
    };
    write({PlaceGuest{"process:h", "unix:/a", 7},
           SetEnrolmentToken{"hash", mesh.clock.Now() + absl::Hours(1)}});
    const Guest before = mesh.store->LoadTarget(SoonCall(), operation.id)->guest;
    REQUIRE(mesh.store->EnrolGuest(SoonCall(), {before.id, "hash", "keys", "seal", "nkey"}).ok());
    GuestObservation heard;
    heard.guest_id = before.id;
    heard.incarnation = 3;
    heard.sequence = 1;
    heard.message = "all is well";
    heard.running_version = "10.11.6";
    REQUIRE(mesh.store->RecordObservations(SoonCall(), {heard}).ok());
    write({ResetGuest{}});
    const Guest after = mesh.store->LoadTarget(SoonCall(), operation.id)->guest;
    CHECK(after == before);
    CHECK_FALSE(
        mesh.store->EnrolGuest(SoonCall(), {before.id, "hash", "keys", "seal", "nkey"}).ok());
    write({ResetGuest{}, SetEnrolmentToken{"new", mesh.clock.Now() + absl::Hours(1)}});
    CHECK(mesh.store->EnrolGuest(SoonCall(), {before.id, "new", "keys", "seal", "nkey"}).ok());
  }
}

}  // namespace

void CheckStoreRecords(const MakeStore& make) {
  CheckLists(make);
  CheckAudit(make);
  CheckPurge(make);
  CheckReading(make);
  CheckEffects(make);
}

}  // namespace trove
