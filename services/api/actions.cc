#include "services/api/actions.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <absl/time/clock.h>

#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"
#include "libtrove/model/workflow_outline.h"
#include "services/api/choices.h"

namespace trove::api {
namespace {

struct Row {
  std::string_view kind;
  TaskStatus task;                       // of the instance, from when it is accepted
  std::optional<ServiceStatus> service;  // the same; none: stays what it is
  ActionGuard guard;
  absl::Duration limit;  // it fails when it takes longer
};

constexpr auto kStays = std::nullopt;

// As Trove's lifecycle has it; stop, start and rebuild are its operators' reboot and rebuild. A
// delete goes on trying for two days: it never gives up before a host that was away for one.
constexpr Row kDelete{
    "instance.delete", TaskStatus::kDeleting, kStays, ActionGuard::kBuilt, absl::Hours(48)};
constexpr Row kRestart{"instance.restart",
                       TaskStatus::kRebooting,
                       ServiceStatus::kRestarting,
                       ActionGuard::kActionable,
                       absl::Minutes(5)};
constexpr Row kStop{
    "instance.stop", TaskStatus::kRebooting, kStays, ActionGuard::kBuilt, absl::Minutes(10)};
constexpr Row kStart{"instance.start",
                     TaskStatus::kRebooting,
                     ServiceStatus::kRestarting,
                     ActionGuard::kBuilt,
                     absl::Minutes(10)};
constexpr Row kResize{
    "instance.resize", TaskStatus::kResizing, kStays, ActionGuard::kActionable, absl::Minutes(20)};
constexpr Row kGrow{
    "instance.grow", TaskStatus::kResizing, kStays, ActionGuard::kActionable, absl::Minutes(20)};
constexpr Row kAttach{
    "instance.attach", TaskStatus::kUpdating, kStays, ActionGuard::kConfigurable, absl::Minutes(5)};
constexpr Row kDetach{
    "instance.detach", TaskStatus::kUpdating, kStays, ActionGuard::kConfigurable, absl::Minutes(5)};
constexpr Row kUpgrade{"instance.upgrade",
                       TaskStatus::kUpgrading,
                       ServiceStatus::kRestarting,
                       ActionGuard::kBuilt,
                       absl::Hours(2)};
constexpr Row kRebuild{
    "instance.rebuild", TaskStatus::kBuilding, kStays, ActionGuard::kBuilt, absl::Minutes(30)};

PlannedAction Begin(const ActionScene& scene,
                    const Row& row,
                    const mesh::v1::OperationInput& input) {
  PlannedAction planned;
  NewAction& action = planned.action;
  action.instance_id = scene.view.instance.id;
  action.operation = NewOperation(row.kind, scene.now + row.limit, scene.caller);
  action.operation.instance_id = action.instance_id;
  action.operation.input = input.SerializeAsString();
  action.task = row.task;
  action.service = row.service;
  action.guard = row.guard;
  action.seen_version = scene.view.instance.version;
  return planned;
}

absl::StatusOr<Flavor> FlavorOf(const ActionScene& scene) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, scene.store.ListFlavors(scene.call));
  for (const Flavor& flavor : flavors)
    if (flavor.id == scene.view.instance.flavor_id) return flavor;
  // An operator has removed it since: nothing is known of it.
  return Flavor{.id = scene.view.instance.flavor_id};
}

// Takes of each resource what `deltas` say, and gives back what is negative when it ends.
void SetQuota(std::vector<QuotaDelta> deltas, PlannedAction& planned) {
  planned.action.quota = deltas;
  planned.effects = std::move(deltas);
}

// Whether `version` comes before `other`: 10.6.9 before 10.11, number by number.
bool IsEarlier(const std::string& version, const std::string& other) {
  const auto numbers = [](const std::string& text) {
    std::vector<long> parts;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t dot = std::min(text.find('.', at), text.size());
      parts.push_back(std::strtol(text.substr(at, dot - at).c_str(), nullptr, 10));
      at = dot + 1;
    }
    return parts;
  };
  return numbers(version) < numbers(other);
}

}  // namespace

Operation NewOperation(std::string_view kind, absl::Time deadline, const Caller& caller) {
  Operation operation;
  operation.id = OperationId(NewOrderedUuid(absl::Now()));
  operation.kind = kind;
  operation.deadline = deadline;
  operation.requested_by = caller.user;
  if (const WorkflowOutline* outline = FindOutline(kind)) {
    operation.workflow_version = outline->version;
    operation.cancellable = outline->cancellable;
    for (const StepOutline& step : outline->steps)
      operation.steps.push_back({.name = step.name});
  }
  return operation;
}

ResourceLock SharedLockOn(const ConfigurationId& id) {
  return {.resource = "configurations/" + id.value(), .mode = LockMode::kShared};
}

absl::Status CheckConfigurationFits(const Configuration& configuration,
                                    const DatastoreVersion& version,
                                    const std::string& field) {
  if (configuration.version_id == version.id) return absl::OkStatus();
  const std::string message = "configuration group " + configuration.id.value() +
                              " is for another datastore version: it takes one that was made for " +
                              version.datastore_name + " " + version.name;
  return MakeError(Reason::kConfigurationMismatch, message, {.violations = {{field, message}}});
}

Planned PlanAction(const ActionScene& scene, const v1::DeleteInstanceRequest&) {
  mesh::v1::OperationInput input;
  input.mutable_delete_();
  PlannedAction planned = Begin(scene, kDelete, input);
  planned.preempts = true;
  planned.action.seen_version = 0;  // whatever has become of it
  TROVE_ASSIGN_OR_RETURN(const Flavor flavor, FlavorOf(scene));
  for (const QuotaDelta& taken : InstanceQuota(flavor.ram_mib, scene.view.instance.volume_size_gib))
    planned.effects.push_back({taken.resource, -taken.amount});
  return planned;
}

Planned PlanAction(const ActionScene& scene, const v1::RestartInstanceRequest&) {
  mesh::v1::OperationInput input;
  input.mutable_restart();
  return Begin(scene, kRestart, input);
}

Planned PlanAction(const ActionScene& scene, const v1::StopInstanceRequest&) {
  mesh::v1::OperationInput input;
  input.mutable_stop();
  return Begin(scene, kStop, input);
}

Planned PlanAction(const ActionScene& scene, const v1::StartInstanceRequest&) {
  mesh::v1::OperationInput input;
  input.mutable_start();
  return Begin(scene, kStart, input);
}

Planned PlanAction(const ActionScene& scene, const v1::ResizeInstanceRequest& request) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, scene.store.ListFlavors(scene.call));
  TROVE_ASSIGN_OR_RETURN(const Flavor* wanted, ChooseFlavor(flavors, request.flavor_id()));
  TROVE_ASSIGN_OR_RETURN(const Flavor current, FlavorOf(scene));
  if (wanted->id == current.id) {
    std::string others;
    for (const Flavor& flavor : flavors)
      if (flavor.id != current.id) others += (others.empty() ? "" : ", ") + flavor.id.value();
    return FieldError("flavor_id",
                      "the instance has flavor " + current.id.value() +
                          " already: choose another one of " + others);
  }
  mesh::v1::OperationInput input;
  mesh::v1::RequestedFlavor* flavor = input.mutable_resize()->mutable_flavor();
  flavor->set_id(wanted->id.value());
  flavor->set_ram_mib(wanted->ram_mib);
  flavor->set_vcpus(wanted->vcpus);
  PlannedAction planned = Begin(scene, kResize, input);
  SetQuota({{QuotaResource::kRam, wanted->ram_mib - current.ram_mib}}, planned);
  return planned;
}

Planned PlanAction(const ActionScene& scene, const v1::GrowVolumeRequest& request) {
  TROVE_RETURN_IF_ERROR(CheckVolumeSize("size_gib", request.size_gib(), scene.most_volume_gib));
  const int current = scene.view.instance.volume_size_gib;
  if (request.size_gib() <= current) {
    return FieldError("size_gib",
                      "must be larger than now, which is " + std::to_string(current) +
                          " GiB: a volume does not shrink");
  }
  mesh::v1::OperationInput input;
  input.mutable_grow()->set_size_gib(request.size_gib());
  PlannedAction planned = Begin(scene, kGrow, input);
  SetQuota({{QuotaResource::kVolumes, request.size_gib() - current}}, planned);
  return planned;
}

Planned PlanAction(const ActionScene& scene, const v1::AttachConfigurationRequest& request) {
  const Instance& instance = scene.view.instance;
  if (request.configuration_id().empty()) {
    return FieldError("configuration_id", "must be the id of a configuration group");
  }
  if (instance.configuration_id) {
    return FieldError("configuration_id",
                      "the instance uses configuration group " +
                          instance.configuration_id->value() + " already: detach that first");
  }
  TROVE_ASSIGN_OR_RETURN(
      const ConfigurationView group,
      scene.store.GetConfiguration(
          scene.call, instance.project_id, ConfigurationId(request.configuration_id())));
  TROVE_RETURN_IF_ERROR(
      CheckConfigurationFits(group.configuration, scene.view.version, "configuration_id"));
  mesh::v1::OperationInput input;
  mesh::v1::AttachInput* attach = input.mutable_attach();
  attach->set_configuration_id(group.configuration.id.value());
  attach->mutable_parameters()->insert(group.configuration.values.begin(),
                                       group.configuration.values.end());
  PlannedAction planned = Begin(scene, kAttach, input);
  planned.action.locks.push_back(SharedLockOn(group.configuration.id));
  return planned;
}

Planned PlanAction(const ActionScene& scene, const v1::DetachConfigurationRequest&) {
  if (!scene.view.instance.configuration_id) return std::nullopt;
  mesh::v1::OperationInput input;
  input.mutable_attach();
  return Begin(scene, kDetach, input);
}

Planned PlanAction(const ActionScene& scene, const v1::UpgradeInstanceRequest& request) {
  const DatastoreVersion& current = scene.view.version;
  if (request.datastore_version().empty()) {
    return FieldError("datastore_version", "must be the id or the name of a version");
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<Datastore> datastores,
                         scene.store.ListDatastores(scene.call));
  TROVE_ASSIGN_OR_RETURN(const Datastore* datastore,
                         ChooseDatastore(datastores, current.datastore_id.value()));
  TROVE_ASSIGN_OR_RETURN(
      const DatastoreVersion* wanted,
      ChooseVersion(*datastore, request.datastore_version(), request.datastore_version_number()));
  const bool same = wanted->id == current.id;
  if (same || IsEarlier(wanted->number, current.number)) {
    const std::string message =
        (same ? "the instance has version " + current.name + " already"
              : "a server cannot go back from " + current.number + " to " + wanted->number) +
        ": choose a later one of " + VersionsOf(*datastore);
    return MakeError(
        Reason::kVersionMismatch, message, {.violations = {{"datastore_version", message}}});
  }
  mesh::v1::OperationInput input;
  mesh::v1::UpgradeInput* upgrade = input.mutable_upgrade();
  upgrade->set_version_id(wanted->id.value());
  upgrade->set_number(wanted->number);
  upgrade->set_engine(wanted->engine);
  return Begin(scene, kUpgrade, input);
}

Planned PlanAction(const ActionScene& scene, const v1::RebuildInstanceRequest&) {
  mesh::v1::OperationInput input;
  input.mutable_rebuild();
  return Begin(scene, kRebuild, input);
}

}  // namespace trove::api
