// Puts ACTIVE instances into the store of a stopped mesh, by the Store's own transactions:
//   trove-bench-seed STORE PROJECT COUNT
// They lie at a placement that no provisioner answers for, so nobody tends them.

#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

// Does it for 0 to `count` - 1, several at a time so that the store commits them together; the
// first error ends it.
absl::Status ForEach(int count, const std::function<absl::Status(int)>& each) {
  constexpr int kAtATime = 32;
  std::atomic<int> next = 0;
  std::vector<absl::Status> ends(kAtATime);
  {
    std::vector<std::jthread> threads;
    for (absl::Status& end : ends)
      threads.emplace_back([&] {
        for (int i = next++; i < count && end.ok(); i = next++)
          end = each(i);
      });
  }
  for (const absl::Status& end : ends)
    TROVE_RETURN_IF_ERROR(end);
  return absl::OkStatus();
}

// What building it would have written. Addresses differ from those of another seeding.
OperationWrite Built(Operation operation, const std::string& number, int seeding, int n) {
  OperationWrite write;
  write.operation = std::move(operation);
  write.operation.state = OperationState::kSucceeded;
  const std::string address = "10." + std::to_string(seeding / 250 % 250) + "." +
                              std::to_string(seeding % 250) + "." + std::to_string(n / 10'000 + 1);
  write.effects = {
      PlaceGuest{.placement = "seeded:nowhere", .control_endpoint = "unix:/nowhere", .uid = 0},
      AssignEndpoint{.address = address, .port = 20'000 + n % 10'000},
      SetVolumeState{VolumeState::kReady},
      SetTask{TaskStatus::kNone},
      SetService{ServiceStatus::kHealthy},
      SetRunningVersion{number}};
  return write;
}

// Nobody waits for these events, and publishing them would disturb what is measured.
absl::Status ForgetEvents(Store& store, const WorkerId& worker) {
  while (true) {
    TROVE_RETURN_IF_ERROR(store.RenewWorker(SeedCall(), worker, absl::Seconds(60)));
    TROVE_ASSIGN_OR_RETURN(const bool held,
                           store.HoldLease(SeedCall(), "events", worker, absl::Seconds(60)));
    if (!held) return absl::UnavailableError("somebody else publishes events: stop the mesh");
    TROVE_ASSIGN_OR_RETURN(const auto events, store.StampEvents(SeedCall(), worker, 10'000));
    if (events.empty()) return absl::OkStatus();
    TROVE_RETURN_IF_ERROR(store.MarkPublished(SeedCall(), worker, events.back().position));
  }
}

absl::Status Seed(const std::string& path, const ProjectId& project, int count) {
  const SystemClock clock;
  TROVE_ASSIGN_OR_RETURN(const auto store, OpenSqliteStore({.path = path, .clock = &clock}));
  TROVE_ASSIGN_OR_RETURN(const auto datastores, store->ListDatastores(SeedCall()));
  TROVE_ASSIGN_OR_RETURN(const auto flavors, store->ListFlavors(SeedCall()));
  if (datastores.empty() || datastores[0].versions.empty() || flavors.empty())
    return absl::FailedPreconditionError("the store has no catalogue: start the mesh once");
  const DatastoreVersion& version = datastores[0].versions[0];
  Requester requester;
  requester.project_id = project;
  requester.user = "bench";
  TROVE_RETURN_IF_ERROR(ForEach(count, [&](int i) {
    return store
        ->CreateInstance(SeedCall(), requester, Wanted(project, version.id, flavors[0].id, i))
        .status();
  }));
  const WorkerId worker("bench-" + NewUuid());
  for (int done = 0; done < count;) {
    TROVE_RETURN_IF_ERROR(store->RenewWorker(SeedCall(), worker, absl::Seconds(60)));
    TROVE_ASSIGN_OR_RETURN(Store::Claims claims,
                           store->ClaimDue(SeedCall(), worker, {.operations = 500}));
    if (claims.operations.empty()) return absl::InternalError("operations are missing");
    const int claimed = static_cast<int>(claims.operations.size());
    TROVE_RETURN_IF_ERROR(ForEach(claimed, [&](int i) {
      return store
          ->WriteOperation(
              SeedCall(),
              worker,
              Built(std::move(claims.operations[static_cast<std::size_t>(i)].operation),
                    version.number,
                    count,
                    done + i))
          .status();
    }));
    done += claimed;
  }
  TROVE_RETURN_IF_ERROR(ForgetEvents(*store, worker));
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
