#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

void CheckCatalogue(const MakeStore& make) {
  SECTION("an imported catalogue is listed whole, by name") {
    const StoreFixture mesh(make);
    Catalogue more;
    more.datastores.push_back({DatastoreId(NewUuid()), "aardvark", VersionId(), {}});
    more.flavors.push_back({FlavorId("10"), "ten", 1024, 2, 0, 0});
    more.flavors.push_back({FlavorId("2"), "two", 1024, 2, 0, 0});
    REQUIRE(mesh.store->ImportCatalogue(SoonCall(), more).ok());
    const auto datastores = mesh.store->ListDatastores(SoonCall());
    REQUIRE(datastores.ok());
    REQUIRE(datastores->size() == 2);
    CHECK(datastores->at(0) == more.datastores[0]);
    CHECK(datastores->at(1) == TestCatalogue().datastores[0]);
    const auto flavors = mesh.store->ListFlavors(SoonCall());
    REQUIRE(flavors.ok());
    REQUIRE(flavors->size() == 3);
    CHECK(flavors->at(0) == TestCatalogue().flavors[0]);
    CHECK(flavors->at(1).id == FlavorId("2"));
    CHECK(flavors->at(2).id == FlavorId("10"));
  }
  SECTION("an import renews what is there") {
    const StoreFixture mesh(make);
    Catalogue newer = TestCatalogue();
    newer.datastores[0].versions[0].number = "10.11.9";
    newer.flavors[0].vcpus = 8;
    REQUIRE(mesh.store->ImportCatalogue(SoonCall(), newer).ok());
    CHECK(*mesh.store->ListDatastores(SoonCall()) == newer.datastores);
    CHECK(*mesh.store->ListFlavors(SoonCall()) == newer.flavors);
  }
}

void CheckTokens(const MakeStore& make) {
  SECTION("a token is found by its hash until it ends") {
    StoreFixture mesh(make);
    const TokenRecord token{
        "hash", ProjectId("p"), "alice", {"admin", "member"}, mesh.clock.Now() + absl::Seconds(60)};
    REQUIRE(mesh.store->PutToken(SoonCall(), token).ok());
    CHECK(mesh.store->FindToken(SoonCall(), "hash").value() == token);
    CHECK(absl::IsUnauthenticated(mesh.store->FindToken(SoonCall(), "other").status()));
    mesh.clock.Advance(absl::Seconds(60));
    CHECK(absl::IsUnauthenticated(mesh.store->FindToken(SoonCall(), "hash").status()));
  }
  SECTION("a token may be put for ever, and again") {
    StoreFixture mesh(make);
    TokenRecord token{"hash", ProjectId("p"), "alice", {}, absl::InfiniteFuture()};
    REQUIRE(mesh.store->PutToken(SoonCall(), token).ok());
    token.user = "bob";
    REQUIRE(mesh.store->PutToken(SoonCall(), token).ok());
    mesh.clock.Advance(absl::Hours(24 * 3650));
    CHECK(mesh.store->FindToken(SoonCall(), "hash").value() == token);
  }
}

void CheckViews(const MakeStore& make) {
  SECTION("an unknown instance is not found") {
    const StoreFixture mesh(make);
    const auto view = mesh.store->GetInstance(SoonCall(), std::nullopt, InstanceId("nope"));
    CHECK(ReasonOf(view.status()).reason == Reason::kInstanceNotFound);
  }
  SECTION("an instance of another project is not found, but an admin finds it") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p1", "db").view.instance.id;
    CHECK(mesh.store->GetInstance(SoonCall(), ProjectId("p1"), id).ok());
    CHECK(absl::IsNotFound(mesh.store->GetInstance(SoonCall(), ProjectId("p2"), id).status()));
    CHECK(mesh.store->GetInstance(SoonCall(), std::nullopt, id).ok());
  }
  SECTION("what is written is what is read") {
    StoreFixture mesh(make);
    NewInstance wanted = WantedInstance("p", "db \xc3\xa9 'quoted'", 3);
    wanted.instance.access = {true, {"10.0.0.0/8", "192.168.1.0/24"}};
    wanted.instance.region = "RegionOne";
    const auto accepted = mesh.store->CreateInstance(SoonCall(), Tenant("p"), wanted);
    REQUIRE(accepted.ok());
    Instance expected = wanted.instance;
    expected.task = TaskStatus::kBuilding;
    expected.service = ServiceStatus::kNew;
    expected.created_at = expected.updated_at = expected.service_updated_at = mesh.clock.Now();
    expected.version = 1;
    const InstanceView view = mesh.Get(wanted.instance.id);
    CHECK(view.instance == expected);
    CHECK(view.version == TestCatalogue().datastores[0].versions[0]);
    CHECK(view.volume_id == wanted.volume_id);
    CHECK_FALSE(view.endpoint);
    CHECK(view.instance == accepted->view.instance);
    REQUIRE(view.operation);
    CHECK(view.operation->id == wanted.operation.id);
    REQUIRE(view.operation->steps.size() == 1);
    CHECK(view.operation->steps[0].name == "place");
  }
  SECTION("a view says what its operation waits for, since when, and the last error") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "db").view.instance.id;
    const WorkerId worker = mesh.Worker("w");
    Operation operation = mesh.ClaimOne(worker).operation;
    operation.current_step = 1;
    operation.steps[1].state = StepState::kRunning;
    operation.steps[1].attempts = 3;
    operation.steps[1].last_error = "no answer";
    operation.help = "look at the host";
    mesh.Wait(worker, operation, "guest.enrolled");
    for (const InstanceView& view :
         {mesh.Get(id),
          mesh.store->ListInstances(SoonCall(), ProjectId("p"), InstanceId(), 10)
              .value()
              .instances.at(0)}) {
      REQUIRE(view.operation);
      CHECK(view.operation->reason == "it waits for guest.enrolled");
      CHECK(view.operation->waiting_since == mesh.clock.Now());
      CHECK(view.operation->help == "look at the host");
      CHECK(view.operation->current_step == 1);
      REQUIRE(view.operation->steps.size() == 1);
      CHECK(view.operation->steps[0].name == "start");
      CHECK(view.operation->steps[0].attempts == 3);
      CHECK(view.operation->steps[0].last_error == "no answer");
    }
  }
  SECTION("an instance that nobody works on has no operation") {
    StoreFixture mesh(make);
    CHECK_FALSE(mesh.Get(mesh.Active("p", "db")).operation);
  }
  SECTION("a rename changes the name, the version and the time, and no other project may") {
    StoreFixture mesh(make);
    const InstanceId id = mesh.Create("p", "old").view.instance.id;
    mesh.clock.Advance(absl::Seconds(5));
    const auto renamed = mesh.store->RenameInstance(SoonCall(), Tenant("p"), id, "new");
    REQUIRE(renamed.ok());
    CHECK(renamed->view.instance.name == "new");
    CHECK(renamed->view.instance.version == 2);
    CHECK(renamed->view.instance.updated_at == mesh.clock.Now());
    CHECK(
        absl::IsNotFound(mesh.store->RenameInstance(SoonCall(), Tenant("q"), id, "mine").status()));
    CHECK(mesh.Get(id).instance.name == "new");
  }
}

void CheckLists(const MakeStore& make) {
  SECTION("a list is cut into pages by id, without gap or repeat") {
    StoreFixture mesh(make);
    std::vector<InstanceId> ids;
    for (int i = 0; i < 7; ++i)
      ids.push_back(mesh.Create("p", "db").view.instance.id);
    mesh.Create("other", "db");
    std::sort(ids.begin(), ids.end());
    std::vector<InstanceId> seen;
    InstanceId after;
    for (int page = 0; page < 3; ++page) {
      const auto found = mesh.store->ListInstances(SoonCall(), ProjectId("p"), after, 3);
      REQUIRE(found.ok());
      for (const InstanceView& view : found->instances)
        seen.push_back(view.instance.id);
      CHECK(found->more == (page < 2));
      after = seen.back();
    }
    CHECK(seen == ids);
  }
  SECTION("a page that just holds the rest says that there is no more") {
    StoreFixture mesh(make);
    mesh.Create("p", "one");
    mesh.Create("p", "two");
    const auto page = mesh.store->ListInstances(SoonCall(), ProjectId("p"), InstanceId(), 2);
    REQUIRE(page.ok());
    CHECK(page->instances.size() == 2);
    CHECK_FALSE(page->more);
  }
  SECTION("a system instance is not listed and not charged, and only the mesh itself finds it") {
    StoreFixture mesh(make);
    NewInstance drill = WantedInstance("p", "drill");
    drill.instance.system = true;
    REQUIRE(mesh.store->CreateInstance(SoonCall(), Tenant("p"), drill).ok());
    CHECK(mesh.store->ListInstances(SoonCall(), ProjectId("p"), InstanceId(), 10)
              .value()
              .instances.empty());
    CHECK(absl::IsNotFound(
        mesh.store->GetInstance(SoonCall(), ProjectId("p"), drill.instance.id).status()));
    CHECK(mesh.Get(drill.instance.id).instance.system);
    CHECK(mesh.store->GetQuotas(SoonCall(), ProjectId("p")).value().at(0).in_use == 0);
  }
}

}  // namespace

void CheckStoreForTenants(const MakeStore& make) {
  CheckCatalogue(make);
  CheckTokens(make);
  CheckViews(make);
  CheckLists(make);
}

}  // namespace trove
