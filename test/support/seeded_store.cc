#include "test/support/seeded_store.h"

#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/check.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/manifest.h"
#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite_store.h"

namespace trove {
namespace {

Datastore SeededDatastore() {
  Datastore datastore;
  datastore.id = DatastoreIdOf("mariadb");
  datastore.name = "mariadb";
  DatastoreVersion version;
  version.id = VersionIdOf("mariadb", "10.11", "10.11.6");
  version.datastore_id = datastore.id;
  version.datastore_name = "mariadb";
  version.name = "10.11";
  version.number = "10.11.6";
  version.agent = "mariadb";
  datastore.default_version_id = version.id;
  datastore.versions.push_back(std::move(version));
  return datastore;
}

std::unique_ptr<Store> OpenAndSeed(const SqliteStoreOptions& options) {
  auto store = OpenSqliteStore(options);
  TROVE_CHECK(store.ok());
  Catalogue catalogue;
  catalogue.datastores.push_back(SeededDatastore());
  catalogue.flavors = DefaultFlavors();
  TROVE_CHECK((*store)->ImportCatalogue(CallFor(absl::Seconds(10)), catalogue).ok());
  return *std::move(store);
}

}  // namespace

std::unique_ptr<Store> OpenSeededStore(const Clock& clock) {
  SqliteStoreOptions options;
  options.path = ":memory:";
  options.clock = &clock;
  return OpenAndSeed(options);
}

std::unique_ptr<Store> OpenSeededStore(const std::string& path, const Clock& clock) {
  return OpenSeededStore({.path = path, .clock = &clock});
}

std::unique_ptr<Store> OpenSeededStore(const SqliteStoreOptions& options) {
  TROVE_CHECK(Migrate(options.path).ok());
  return OpenAndSeed(options);
}

DatastoreVersion SeededVersion() {
  return SeededDatastore().versions.front();
}

NewInstance NewSeededInstance(const std::string& project,
                              const std::string& kind,
                              std::string input) {
  NewInstance made;
  made.instance.id = InstanceId(NewUuid());
  made.instance.project_id = ProjectId(project);
  made.instance.name = "db";
  made.instance.version_id = SeededVersion().id;
  made.instance.flavor_id = DefaultFlavors().front().id;
  made.instance.volume_size_gib = 1;
  made.instance.region = "RegionOne";
  made.guest_id = GuestId(NewUuid());
  made.volume_id = VolumeId(NewUuid());
  made.endpoint_id = EndpointId(NewUuid());
  made.operation.id = OperationId(NewOrderedUuid(absl::Now()));
  made.operation.project_id = made.instance.project_id;
  made.operation.instance_id = made.instance.id;
  made.operation.kind = kind;
  made.operation.input = std::move(input);
  return made;
}

NewAction NewSeededAction(const InstanceId& instance, const std::string& kind, TaskStatus task) {
  NewAction action;
  action.instance_id = instance;
  action.operation.id = OperationId(NewOrderedUuid(absl::Now()));
  action.operation.instance_id = instance;
  action.operation.kind = kind;
  action.task = task;
  return action;
}

Requester SeededRequester(const std::string& project) {
  Requester requester;
  requester.project_id = ProjectId(project);
  requester.user = "tester";
  return requester;
}

}  // namespace trove
