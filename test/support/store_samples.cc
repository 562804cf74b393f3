#include "test/support/store_samples.h"

#include <utility>
#include <vector>

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
  DatastoreVersion version{kTestVersion, datastore, "mariadb", "10.11", "10.11.6", "mariadb"};
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

}  // namespace trove
