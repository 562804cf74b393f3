#include "test/integration/taskmanager/every_operation.h"

#include <algorithm>

#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/base/check.h"
#include "libtrove/model/manifest.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kHeld = absl::Seconds(25);
constexpr absl::Duration kPatience = absl::Seconds(20);

}  // namespace

const std::vector<Moment>& EveryMoment() {
  using Job = mesh::v1::Job;
  static const std::vector<Moment> moments = {
      {.kind = "instance.restart", .step = "restart", .job = Job::kRestart},
      {.kind = "instance.stop", .step = "stop", .job = Job::kStop},
      {.kind = "instance.start", .step = "start", .job = Job::kStart},
      {.kind = "instance.resize", .step = "widen", .method = "Resize"},
      {.kind = "instance.resize", .step = "configure", .job = Job::kConfigure},
      {.kind = "instance.resize", .step = "limits", .method = "Resize", .call = 2},
      {.kind = "instance.grow", .step = "volume", .method = "EnsureVolume"},
      {.kind = "instance.grow", .step = "guest", .cancellable = false, .job = Job::kConfigure},
      {.kind = "instance.attach", .step = "configure", .job = Job::kConfigure},
      {.kind = "instance.detach", .step = "configure", .job = Job::kConfigure},
      {.kind = "instance.upgrade", .step = "stop", .job = Job::kStop},
      {.kind = "instance.upgrade", .step = "snapshot", .method = "SnapshotVolume"},
      {.kind = "instance.upgrade", .step = "upgrade", .cancellable = false, .job = Job::kUpgrade},
      {.kind = "instance.upgrade",
       .step = "discard",
       .cancellable = false,
       .method = "RemoveSnapshot"},
      {.kind = "instance.rebuild", .step = "stop", .job = Job::kStop},
      {.kind = "instance.rebuild", .step = "reset", .cancellable = false, .method = "Reset"},
      {.kind = "instance.rebuild", .step = "guest", .cancellable = false, .method = "Ensure"},
      {.kind = "instance.rebuild", .step = "adopt", .cancellable = false, .job = Job::kAdopt},
  };
  return moments;
}

const std::vector<Moment>& EveryCreateMoment() {
  static const std::vector<Moment> moments = {
      {.kind = "instance.create", .step = "place", .method = "Place"},
      {.kind = "instance.create", .step = "volume", .method = "EnsureVolume"},
      {.kind = "instance.create", .step = "guest", .method = "Ensure"},
      {.kind = "instance.create", .step = "connect"},
      {.kind = "instance.create", .step = "prepare", .job = mesh::v1::Job::kPrepare},
  };
  return moments;
}

Hold::Hold(SmallMesh& mesh, const GuestId& guest, const Moment& moment)
    : mesh_(mesh),
      guest_(guest),
      moment_(moment),
      calls_before_(mesh.provisioner.calls(moment.method)),
      jobs_before_(JobsOfKind()) {
  if (!moment_.method.empty()) {
    mesh_.provisioner.SetDelay(moment_.method, kHeld, moment_.call - 1);
  } else if (moment_.job != mesh::v1::Job::KIND_NOT_SET) {
    mesh_.guests->SetJobTime(moment_.job, kHeld);
  } else {
    mesh_.provisioner.SetWatcher(nullptr);  // the processes run, and nobody hears of them
  }
}

Hold::~Hold() {
  if (!moment_.method.empty()) {
    mesh_.provisioner.SetDelay(moment_.method, absl::ZeroDuration());
  } else if (moment_.job != mesh::v1::Job::KIND_NOT_SET) {
    mesh_.guests->SetJobTime(moment_.job, absl::ZeroDuration());
  } else {
    mesh_.provisioner.SetWatcher(mesh_.guests.get());
  }
}

int Hold::JobsOfKind() const {
  const auto jobs = mesh_.guests->jobs(guest_);
  return static_cast<int>(std::count_if(jobs.begin(), jobs.end(), [this](const auto& job) {
    return job.kind_case() == moment_.job;
  }));
}

bool Hold::Reached() {
  return Eventually(kPatience, [this] {
    if (!moment_.method.empty())
      return mesh_.provisioner.calls(moment_.method) >= calls_before_ + moment_.call;
    if (moment_.job != mesh::v1::Job::KIND_NOT_SET) return JobsOfKind() > jobs_before_;
    return mesh_.provisioner.running().contains(guest_);
  });
}

void MakeGroup(SmallMesh& mesh) {
  Configuration group;
  group.id = kGroup;
  group.project_id = ProjectId("p1");
  group.name = "group";
  group.version_id = SeededVersion().id;
  group.values = {{"max_connections", "200"}};
  TROVE_CHECK(mesh.store()
                  .CreateConfiguration(CallFor(absl::Seconds(10)), SeededRequester("p1"), group)
                  .ok());
}

NewAction ActionOf(const NewInstance& on, const std::string& kind) {
  NewAction action = NewSeededAction(on.instance.id, kind, TaskStatus::kUpdating);
  action.guard = ActionGuard::kBuilt;
  mesh::v1::OperationInput input;
  if (kind == "instance.resize") {
    const Flavor& flavor = DefaultFlavors().at(1);
    mesh::v1::RequestedFlavor& wanted = *input.mutable_resize()->mutable_flavor();
    wanted.set_id(flavor.id.value());
    wanted.set_ram_mib(flavor.ram_mib);
    wanted.set_vcpus(flavor.vcpus);
    action.quota = {{QuotaResource::kRam, flavor.ram_mib - DefaultFlavors().front().ram_mib}};
  } else if (kind == "instance.grow") {
    input.mutable_grow()->set_size_gib(2);
    action.quota = {{QuotaResource::kVolumes, 1}};
  } else if (kind == "instance.attach") {
    input.mutable_attach()->set_configuration_id(kGroup.value());
    (*input.mutable_attach()->mutable_parameters())["max_connections"] = "200";
  } else if (kind == "instance.detach") {
    input.mutable_attach();
  } else if (kind == "instance.upgrade") {
    const DatastoreVersion newer = SmallMesh::NewerVersion();
    input.mutable_upgrade()->set_version_id(newer.id.value());
    input.mutable_upgrade()->set_number(newer.number);
    input.mutable_upgrade()->set_engine(newer.engine);
  }
  action.operation.input = input.SerializeAsString();
  return action;
}

}  // namespace trove::taskmanager
