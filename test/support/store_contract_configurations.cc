#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

Reason Refusal(const absl::Status& status) {
  CAPTURE(status);
  CHECK_FALSE(status.ok());
  return ReasonOf(status).reason;
}

Configuration Wanted(const std::string& project, const std::string& name) {
  Configuration wanted;
  wanted.id = ConfigurationId(NewUuid());
  wanted.project_id = ProjectId(project);
  wanted.name = name;
  wanted.description = "for \"reports\"";
  wanted.version_id = kTestVersion;
  wanted.values = {{"long_query_time", "1.5"}, {"sql_mode", "\"ANSI \\\"x\\\"\""}};
  return wanted;
}

Configuration Create(StoreFixture& mesh, const std::string& project, const std::string& name) {
  const auto view =
      mesh.store->CreateConfiguration(SoonCall(), Tenant(project), Wanted(project, name));
  INFO(view.status());
  REQUIRE(view.ok());
  return view->configuration;
}

// Builds an instance that uses a group from its beginning.
InstanceId Using(StoreFixture& mesh, const ConfigurationId& group) {
  NewInstance wanted = WantedInstance("p", "db");
  wanted.instance.configuration_id = group;
  const auto accepted = mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted);
  INFO(accepted.status());
  REQUIRE(accepted.ok());
  const WorkerId worker = mesh.Worker("builder " + NewUuid());
  mesh.Succeed(worker,
               mesh.ClaimOne(worker).operation,
               {SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kHealthy}});
  return wanted.instance.id;
}

// Changes which group an instance uses, as an operation does.
absl::Status Switch(StoreFixture& mesh,
                    const InstanceId& id,
                    const std::optional<ConfigurationId>& group) {
  REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), RestartOf(id)).ok());
  const WorkerId worker = mesh.Worker("switch " + NewUuid());
  OperationWrite write{mesh.ClaimOne(worker).operation,
                       {SetConfiguration{group}, SetTask{TaskStatus::kNone}},
                       {},
                       true};
  write.operation.state = OperationState::kSucceeded;
  absl::Status written = mesh.store->WriteOperation(SoonCall(), worker, write).status();
  if (!written.ok()) mesh.Succeed(worker, write.operation, {SetTask{TaskStatus::kNone}});
  return written;
}

void CheckGroups(const MakeStore& make) {
  SECTION("a group comes back as it was given") {
    StoreFixture mesh(make);
    Configuration wanted = Wanted("p", "fast");
    const auto made = mesh.store->CreateConfiguration(SoonCall(), Tenant("p"), wanted);
    REQUIRE(made.ok());
    wanted.created_at = wanted.updated_at = mesh.clock.Now();
    CHECK(made->configuration == wanted);
    CHECK(made->version.datastore_name == "mariadb");
    const auto read = mesh.store->GetConfiguration(SoonCall(), ProjectId("p"), wanted.id);
    REQUIRE(read.ok());
    CHECK(read->configuration == wanted);
    CHECK(read->version == made->version);
    CHECK(read->instance_count == 0);
    CHECK(Refusal(mesh.store->GetConfiguration(SoonCall(), ProjectId("q"), wanted.id).status()) ==
          Reason::kConfigurationNotFound);
    CHECK(mesh.store->GetConfiguration(SoonCall(), std::nullopt, wanted.id).ok());
    wanted.version_id = VersionId("nope");
    CHECK(Refusal(mesh.store->CreateConfiguration(SoonCall(), Tenant("p"), wanted).status()) ==
          Reason::kVersionNotFound);
  }
  SECTION("groups are listed by id, page by page, without values") {
    StoreFixture mesh(make);
    for (const char* name : {"one", "two", "three"})
      Create(mesh, "p", name);
    Create(mesh, "q", "other");
    const auto first = mesh.store->ListConfigurations(SoonCall(), ProjectId("p"), {}, 2);
    REQUIRE(first.ok());
    REQUIRE(first->configurations.size() == 2);
    CHECK(first->more);
    CHECK(first->configurations[0].configuration.values.empty());
    const auto rest = mesh.store->ListConfigurations(
        SoonCall(), ProjectId("p"), first->configurations[1].configuration.id, 2);
    REQUIRE(rest.ok());
    CHECK(rest->configurations.size() == 1);
    CHECK_FALSE(rest->more);
  }
  SECTION("a repeated request has the first group, also when it has been deleted") {
    StoreFixture mesh(make);
    const Configuration wanted = Wanted("p", "fast");
    const auto made = mesh.store->CreateConfiguration(SoonCall(), Tenant("p", "r1", "f"), wanted);
    REQUIRE(made.ok());
    REQUIRE(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p", "r2", "g"), wanted.id).ok());
    CHECK(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p", "r2", "g"), wanted.id).ok());
    const auto again =
        mesh.store->CreateConfiguration(SoonCall(), Tenant("p", "r1", "f"), Wanted("p", "fast"));
    REQUIRE(again.ok());
    CHECK(again->configuration == made->configuration);
    CHECK(again->version == made->version);
    CHECK(Refusal(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p"), wanted.id)) ==
          Reason::kConfigurationNotFound);
  }
}

void CheckUse(const MakeStore& make) {
  SECTION("an instance shows the group it uses, and its operations have its values") {
    StoreFixture mesh(make);
    const Configuration group = Create(mesh, "p", "fast");
    const InstanceId id = Using(mesh, group.id);
    const InstanceView view = mesh.Get(id);
    CHECK(view.instance.configuration_id == group.id);
    CHECK(view.configuration_name == "fast");
    const NewAction restart = RestartOf(id);
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), restart).ok());
    const auto target = mesh.store->LoadTarget(SoonCall(), restart.operation.id);
    REQUIRE(target.ok());
    REQUIRE(target->configuration);
    CHECK(*target->configuration == group);
  }
  SECTION("a group of another project cannot be used") {
    StoreFixture mesh(make);
    const Configuration group = Create(mesh, "q", "fast");
    NewInstance wanted = WantedInstance("p", "db");
    wanted.instance.configuration_id = group.id;
    CHECK(Refusal(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).status()) ==
          Reason::kConfigurationNotFound);
    wanted.instance.configuration_id = ConfigurationId("nope");
    CHECK(Refusal(mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted).status()) ==
          Reason::kConfigurationNotFound);
  }
  SECTION("a group that is used or about to be is not deleted") {
    StoreFixture mesh(make);
    const Configuration group = Create(mesh, "p", "fast");
    const InstanceId id = Using(mesh, group.id);
    CHECK(mesh.store->GetConfiguration(SoonCall(), std::nullopt, group.id)->instance_count == 1);
    CHECK(Refusal(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p"), group.id)) ==
          Reason::kConfigurationInUse);
    CHECK(Switch(mesh, id, std::nullopt).ok());
    CHECK_FALSE(mesh.Get(id).instance.configuration_id);

    NewAction attach = RestartOf(id);
    attach.locks = {{"configurations/" + group.id.value(), LockMode::kShared}};
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), attach).ok());
    const absl::Status locked = mesh.store->DeleteConfiguration(SoonCall(), Tenant("p"), group.id);
    CHECK(Refusal(locked) == Reason::kOperationRunning);
    CHECK(locked.message().find(attach.operation.id.value()) != absl::string_view::npos);
    const WorkerId worker = mesh.Worker("w");
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation, {SetTask{TaskStatus::kNone}});
    CHECK(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p"), group.id).ok());
    CHECK(Refusal(Switch(mesh, id, group.id)) == Reason::kConfigurationNotFound);
  }
  SECTION("a group that an instance used may go when the instance has gone") {
    StoreFixture mesh(make);
    const Configuration group = Create(mesh, "p", "fast");
    const InstanceId id = Using(mesh, group.id);
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(id)).ok());
    const WorkerId worker = mesh.Worker("w");
    mesh.Succeed(worker, mesh.ClaimOne(worker).operation, {BuryInstance{}});
    CHECK(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p"), group.id).ok());
  }
  SECTION("what happens to a group is told, with who asked for it") {
    StoreFixture mesh(make);
    const Configuration group = Create(mesh, "p", "fast");
    const InstanceId id = Using(mesh, group.id);
    REQUIRE(Switch(mesh, id, std::nullopt).ok());
    REQUIRE(mesh.store->DeleteConfiguration(SoonCall(), Tenant("p"), group.id).ok());
    mesh.Events();
    const auto events = mesh.store->ReadEvents(
        SoonCall(), {ProjectId("p"), "configurations", group.id.value()}, 0, 100);
    REQUIRE(events.ok());
    REQUIRE(events->size() == 4);
    CHECK((*events)[0].type == "trove.configuration.created");
    CHECK((*events)[0].data == R"({"name":"fast","user":"user of p"})");
    CHECK((*events)[1].type == "trove.configuration.attached");
    CHECK((*events)[1].data ==
          R"({"name":"fast","resource":"instances/)" + id.value() + R"(","user":"user of p"})");
    CHECK((*events)[2].type == "trove.configuration.detached");
    CHECK((*events)[3].type == "trove.configuration.deleted");
  }
}

void CheckLocks(const MakeStore& make) {
  const auto acting = [](const InstanceId& id, const std::string& resource, LockMode mode) {
    NewAction action = RestartOf(id);
    action.locks = {{resource, mode}};
    return action;
  };
  SECTION("a shared lock has many holders, an exclusive one has one") {
    StoreFixture mesh(make);
    const InstanceId one = mesh.Active("p", "one");
    const InstanceId two = mesh.Active("p", "two");
    const InstanceId three = mesh.Active("p", "three");
    const auto begin = [&](const NewAction& action) {
      return mesh.store->BeginAction(SoonCall(), Tenant("p"), action).status();
    };
    const NewAction first = acting(one, "r", LockMode::kShared);
    REQUIRE(begin(first).ok());
    REQUIRE(begin(acting(two, "r", LockMode::kShared)).ok());
    const absl::Status refused = begin(acting(three, "r", LockMode::kExclusive));
    CHECK(Refusal(refused) == Reason::kOperationRunning);
    // Refused as a whole: its own instance is free.
    CHECK_FALSE(mesh.Get(three).operation);
    CHECK(mesh.Get(three).instance.task == TaskStatus::kNone);
    const WorkerId worker = mesh.Worker("w");
    const auto claims = mesh.store->ClaimDue(SoonCall(), worker, {10});
    REQUIRE(claims->operations.size() == 2);
    for (const ClaimedOperation& claimed : claims->operations)
      mesh.Succeed(worker, claimed.operation, {SetTask{TaskStatus::kNone}});
    REQUIRE(begin(acting(three, "r", LockMode::kExclusive)).ok());
    CHECK(Refusal(begin(acting(one, "r", LockMode::kShared))) == Reason::kOperationRunning);
  }
  SECTION("a resource named twice is taken once, as strongly as either says") {
    StoreFixture mesh(make);
    const InstanceId two = mesh.Active("p", "two");
    NewAction action = acting(mesh.Active("p", "one"), "r", LockMode::kShared);
    action.locks.push_back({"r", LockMode::kExclusive});
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), action).ok());
    CHECK(Refusal(
              mesh.store->BeginAction(SoonCall(), Tenant("p"), acting(two, "r", LockMode::kShared))
                  .status()) == Reason::kOperationRunning);
  }
  SECTION("a delete takes the instance's own lock and frees the rest") {
    StoreFixture mesh(make);
    const InstanceId one = mesh.Active("p", "one");
    const InstanceId two = mesh.Active("p", "two");
    REQUIRE(mesh.store->BeginAction(SoonCall(), Tenant("p"), acting(one, "r", LockMode::kExclusive))
                .ok());
    REQUIRE(mesh.store->BeginDelete(SoonCall(), Tenant("p"), DeleteOf(one)).ok());
    CHECK(mesh.store->BeginAction(SoonCall(), Tenant("p"), acting(two, "r", LockMode::kExclusive))
              .ok());
  }
}

}  // namespace

void CheckStoreConfigurations(const MakeStore& make) {
  CheckGroups(make);
  CheckUse(make);
  CheckLocks(make);
}

}  // namespace trove
