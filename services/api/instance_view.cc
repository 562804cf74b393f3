#include "services/api/instance_view.h"

#include <utility>

#include "libtrove/model/instance_state.h"
#include "services/api/instance_reason.h"
#include "services/api/times.h"

namespace trove::api {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

v1::Instance::Status StatusOf(ShownStatus status) {
  switch (status) {
    case ShownStatus::kBuild:
      return v1::Instance::STATUS_BUILD;
    case ShownStatus::kActive:
      return v1::Instance::STATUS_ACTIVE;
    case ShownStatus::kReboot:
      return v1::Instance::STATUS_REBOOT;
    case ShownStatus::kResize:
      return v1::Instance::STATUS_RESIZE;
    case ShownStatus::kUpgrade:
      return v1::Instance::STATUS_UPGRADE;
    case ShownStatus::kRestartRequired:
      return v1::Instance::STATUS_RESTART_REQUIRED;
    case ShownStatus::kPromote:
      return v1::Instance::STATUS_PROMOTE;
    case ShownStatus::kEject:
      return v1::Instance::STATUS_EJECT;
    case ShownStatus::kDetach:
      return v1::Instance::STATUS_DETACH;
    case ShownStatus::kBackup:
      return v1::Instance::STATUS_BACKUP;
    case ShownStatus::kShutdown:
      return v1::Instance::STATUS_SHUTDOWN;
    case ShownStatus::kError:
      return v1::Instance::STATUS_ERROR;
  }
  return v1::Instance::STATUS_UNSPECIFIED;
}

v1::Instance::OperatingStatus OperatingStatusMessage(OperatingStatus status) {
  switch (status) {
    case OperatingStatus::kNone:
      return v1::Instance::OPERATING_STATUS_UNSPECIFIED;
    case OperatingStatus::kHealthy:
      return v1::Instance::OPERATING_STATUS_HEALTHY;
    case OperatingStatus::kActive:
      return v1::Instance::OPERATING_STATUS_ACTIVE;
    case OperatingStatus::kBlocked:
      return v1::Instance::OPERATING_STATUS_BLOCKED;
    case OperatingStatus::kShutdown:
    case OperatingStatus::kDeleted:
      return v1::Instance::OPERATING_STATUS_SHUTDOWN;
    case OperatingStatus::kFailed:
      return v1::Instance::OPERATING_STATUS_FAILED;
    case OperatingStatus::kBuild:
    case OperatingStatus::kPromote:
    case OperatingStatus::kEject:
      return v1::Instance::OPERATING_STATUS_BUILD;
    case OperatingStatus::kNew:
      return v1::Instance::OPERATING_STATUS_NEW;
    case OperatingStatus::kRestarting:
      return v1::Instance::OPERATING_STATUS_RESTARTING;
    case OperatingStatus::kRestartRequired:
      return v1::Instance::OPERATING_STATUS_RESTART_REQUIRED;
    case OperatingStatus::kError:
      return v1::Instance::OPERATING_STATUS_ERROR;
  }
  return v1::Instance::OPERATING_STATUS_UNSPECIFIED;
}

void FillEndpoint(const InstanceView& view,
                  const ConnectionSchemes& schemes,
                  v1::Instance* instance) {
  if (!view.endpoint || view.endpoint->address.empty()) return;
  const Endpoint& endpoint = *view.endpoint;
  v1::Instance::Address* address = instance->add_addresses();
  address->set_address(endpoint.address);
  address->set_port(endpoint.port);
  address->set_type(view.instance.access.is_public ? "public" : "private");
  const auto scheme = schemes.find(view.version.datastore_name);
  if (scheme != schemes.end()) {
    instance->set_connection_uri(scheme->second + "://" + endpoint.address + ":" +
                                 std::to_string(endpoint.port) + "/");
  }
}

}  // namespace

ConnectionSchemes ConnectionSchemesOf(const std::vector<Manifest>& manifests) {
  ConnectionSchemes schemes;
  for (const Manifest& manifest : manifests)
    schemes[manifest.datastore.name] = manifest.connection_scheme;
  return schemes;
}

void FillInstance(const InstanceView& view,
                  const ConnectionSchemes& schemes,
                  bool admin,
                  v1::Instance* instance) {
  const Instance& stored = view.instance;
  instance->set_id(stored.id.value());
  instance->set_project_id(stored.project_id.value());
  instance->set_name(stored.name);
  instance->set_status(StatusOf(ShownStatusOf(stored, false)));
  instance->set_operating_status(OperatingStatusMessage(OperatingStatusOf(stored)));
  instance->set_datastore_id(view.version.datastore_id.value());
  instance->set_datastore_name(view.version.datastore_name);
  instance->set_version_id(stored.version_id.value());
  instance->set_version_name(view.version.name);
  instance->set_version_number(view.version.number);
  instance->set_flavor_id(stored.flavor_id.value());
  v1::Instance::Volume* volume = instance->mutable_volume();
  if (view.volume_id) volume->set_id(view.volume_id->value());
  volume->set_size_gib(stored.volume_size_gib);
  const double used = static_cast<double>(view.volume_used_bytes) / kGib;
  volume->set_used_gib(used);
  if (stored.volume_size_gib > 0) volume->set_used_percent(used / stored.volume_size_gib * 100);
  instance->mutable_access()->set_is_public(stored.access.is_public);
  for (const std::string& cidr : stored.access.allowed_cidrs)
    instance->mutable_access()->add_allowed_cidrs(cidr);
  instance->set_region(stored.region);
  FillEndpoint(view, schemes, instance);
  if (auto reason = ReasonFor(view)) *instance->mutable_reason() = *std::move(reason);
  if (stored.configuration_id) {
    instance->set_configuration_id(stored.configuration_id->value());
    instance->set_configuration_name(view.configuration_name);
  }
  if (stored.fault) {
    instance->mutable_fault()->set_message(stored.fault->message);
    if (admin) instance->mutable_fault()->set_details(stored.fault->details);
    SetTime(stored.fault->created_at, instance->mutable_fault()->mutable_created_at());
  }
  if (view.operation) instance->set_operation_id(view.operation->id.value());
  SetTime(stored.created_at, instance->mutable_created_at());
  SetTime(stored.updated_at, instance->mutable_updated_at());
  if (stored.service_updated_at > absl::InfinitePast()) {
    SetTime(stored.service_updated_at, instance->mutable_service_status_updated_at());
  }
  instance->set_version(stored.version);
}

}  // namespace trove::api
