// Puts ACTIVE instances into the store of a stopped mesh, by the Store's own transactions:
//   trove-bench-seed STORE PROJECT COUNT
// They lie at a placement that no provisioner answers for, so nobody tends them.

#include <charconv>
#include <cstdio>
#include <string>

#include "libtrove/base/clock.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/catalogue.h"
#include "libtrove/store/sqlite_store.h"

namespace trove {
namespace {

Call SeedCall() {
  return CallFor(absl::Seconds(60));
}

NewInstance Wanted(const ProjectId& project,
                   const VersionId& version,
                   const FlavorId& flavor,
                   int n) {
  NewInstance made;
  made.instance.id = InstanceId(NewUuid());
  made.instance.project_id = project;
  made.instance.name = "orders-" + std::to_string(n);
  made.instance.version_id = version;
  made.instance.flavor_id = flavor;
  made.instance.volume_size_gib = 1;
  made.instance.region = "RegionOne";
  made.guest_id = GuestId(NewUuid());
  made.volume_id = VolumeId(NewUuid());
  made.endpoint_id = EndpointId(NewUuid());
  made.operation.id = OperationId(NewUuid());
  made.operation.project_id = project;
  made.operation.instance_id = made.instance.id;
  made.operation.kind = "instance.create";
  return made;
}

absl::Status Seed(const std::string& path, const ProjectId& project, int count) {
  const SystemClock clock;
  TROVE_ASSIGN_OR_RETURN(const auto store, OpenSqliteStore({.path = path, .clock = &clock}));
  TROVE_ASSIGN_OR_RETURN(const auto datastores, store->ListDatastores(SeedCall()));
  TROVE_ASSIGN_OR_RETURN(const auto flavors, store->ListFlavors(SeedCall()));
  if (datastores.empty() || datastores[0].versions.empty() || flavors.empty())
    return absl::FailedPreconditionError("the store has no catalogue: start the mesh once");
  Requester requester;
  requester.project_id = project;
  requester.user = "bench";
  for (int i = 0; i < count; ++i) {
    TROVE_RETURN_IF_ERROR(
        store
            ->CreateInstance(SeedCall(),
                             requester,
                             Wanted(project, datastores[0].versions[0].id, flavors[0].id, i))
            .status());
  }
  const WorkerId worker("bench-" + NewUuid());
  TROVE_RETURN_IF_ERROR(store->RenewWorker(SeedCall(), worker, absl::Seconds(60)));
  int port = 0;
  while (port < count) {
    TROVE_ASSIGN_OR_RETURN(Store::Claims claims,
                           store->ClaimDue(SeedCall(), worker, {.operations = 100}));
    if (claims.operations.empty()) return absl::InternalError("operations are missing");
    for (ClaimedOperation& claimed : claims.operations) {
      OperationWrite write;
      write.operation = std::move(claimed.operation);
      write.operation.state = OperationState::kSucceeded;
      // One address for each kind of seeding, so that no two endpoints are the same.
      const std::string address =
          "10." + std::to_string(count / 250) + "." + std::to_string(count % 250) + ".1";
      write.effects = {
          PlaceGuest{.placement = "seeded:nowhere", .control_endpoint = "unix:/nowhere", .uid = 0},
          AssignEndpoint{.address = address, .port = 20'000 + port},
          SetVolumeState{VolumeState::kReady},
          SetTask{TaskStatus::kNone},
          SetService{ServiceStatus::kHealthy},
          SetRunningVersion{datastores[0].versions[0].number}};
      TROVE_RETURN_IF_ERROR(store->WriteOperation(SeedCall(), worker, write).status());
      ++port;
    }
  }
  return store->ReleaseWorker(SeedCall(), worker);
}

}  // namespace
}  // namespace trove

int main(int argc, char** argv) {
  int count = 0;
  if (argc == 4) {
    const std::string_view text = argv[3];
    std::from_chars(text.data(), text.data() + text.size(), count);
  }
  if (count < 1) {
    std::fprintf(stderr, "usage: trove-bench-seed STORE PROJECT COUNT\n");
    return 2;
  }
  const absl::Status status = trove::Seed(argv[1], trove::ProjectId(argv[2]), count);
  if (!status.ok()) std::fprintf(stderr, "trove-bench-seed: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
