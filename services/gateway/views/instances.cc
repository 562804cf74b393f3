#include "services/gateway/views/instances.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"

namespace trove::gateway {
namespace {

constexpr std::int64_t kPageSize = 20;  // by default and at most

absl::Status BadField(const std::string& path, const std::string& why) {
  return MakeError(Reason::kInvalidField,
                   "Validation error: " + path + " " + why,
                   {.violations = {{.field = path, .description = why}}});
}

absl::Status NotSupported(const std::string& path, const std::string& what) {
  return MakeError(Reason::kNotSupported,
                   path + ": " + what + " is not supported by this server; leave it out");
}

// Fields whose feature is not there. A request that means nothing by them passes.
absl::Status CheckSupported(const rest::v1::NewInstance& instance) {
  if (instance.has_restore_point())
    return NotSupported("instance['restorePoint']", "restoring a backup");
  if (instance.has_replica_of()) return NotSupported("instance['replica_of']", "replication");
  if (instance.replica_count() > 1) {
    return BadField("instance['replica_count']", "is for replicas: 'replica_of' is missing");
  }
  if (instance.modules_size() > 0) return NotSupported("instance['modules']", "a module");
  if (instance.has_locality()) return NotSupported("instance['locality']", "affinity");
  if (instance.has_availability_zone())
    return NotSupported("instance['availability_zone']", "a choice of zone");
  if (instance.volume().has_type())
    return NotSupported("instance['volume']['type']", "a choice of volume type");
  return absl::OkStatus();
}

absl::Status CheckNics(const rest::v1::NewInstance& instance) {
  for (const rest::v1::NewNic& nic : instance.nics()) {
    if (!nic.has_network_id() && !nic.has_subnet_id()) {
      return BadField("instance['nics'][0]", "needs 'network_id' (or 'net-id') or 'subnet_id'");
    }
    if (nic.has_ip_address() && !nic.has_subnet_id()) {
      return BadField("instance['nics'][0]", "needs 'subnet_id' beside 'ip_address'");
    }
  }
  return absl::OkStatus();
}

std::string_view WithoutPrefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix ? text.substr(prefix.size()) : text;
}

std::string StatusName(v1::Instance::Status status) {
  if (status == v1::Instance::STATUS_UNSPECIFIED) return "ERROR";
  return std::string(WithoutPrefix(v1::Instance::Status_Name(status), "STATUS_"));
}

std::string OperatingStatusName(v1::Instance::OperatingStatus status) {
  if (status == v1::Instance::OPERATING_STATUS_UNSPECIFIED) return "";
  return std::string(
      WithoutPrefix(v1::Instance::OperatingStatus_Name(status), "OPERATING_STATUS_"));
}

double TwoDecimals(double value) {
  return std::round(value * 100.0) / 100.0;
}

bool SaysSomething(const v1::Instance::Reason& reason) {
  return !reason.step().empty() || !reason.waiting_for().empty() || !reason.last_error().empty() ||
         !reason.help().empty();
}

void FillInstance(const v1::Instance& from, const Asked& asked, rest::v1::Instance* to) {
  to->set_id(from.id());
  to->set_name(from.name());
  to->set_status(StatusName(from.status()));
  to->set_operating_status(OperatingStatusName(from.operating_status()));
  AddLinks(asked.links, "instances", from.id(), to->mutable_links());
  to->mutable_flavor()->set_id(from.flavor_id());
  AddLinks(asked.links, "flavors", from.flavor_id(), to->mutable_flavor()->mutable_links());
  to->mutable_datastore()->set_type(from.datastore_name());
  to->mutable_datastore()->set_version(from.version_name());
  to->mutable_datastore()->set_version_number(from.version_number());
  to->set_region(from.region());
  to->mutable_access()->set_is_public(from.access().is_public());
  *to->mutable_access()->mutable_allowed_cidrs() = from.access().allowed_cidrs();
  to->set_tenant_id(from.project_id());
  to->mutable_volume()->set_size(from.volume().size_gib());
  if (from.volume().used_gib() > 0) {
    to->mutable_volume()->set_used(TwoDecimals(from.volume().used_gib()));
    to->mutable_volume()->set_used_percent(TwoDecimals(from.volume().used_percent()));
  }
  for (const v1::Instance::Address& address : from.addresses()) {
    to->add_ip(address.address());
    rest::v1::InstanceAddress* added = to->add_addresses();
    added->set_address(address.address());
    added->set_type(address.type());
    if (!address.network_id().empty()) added->set_network(address.network_id());
    added->set_port(address.port());
  }
  *to->mutable_created() = from.created_at();
  *to->mutable_updated() = from.updated_at();
  if (from.has_service_status_updated_at()) {
    *to->mutable_service_status_updated() = from.service_status_updated_at();
  }
  if (from.has_fault()) {
    to->mutable_fault()->set_message(from.fault().message());
    to->mutable_fault()->set_details(from.fault().details());
    *to->mutable_fault()->mutable_created() = from.fault().created_at();
  }
  if (!from.volume().id().empty()) to->set_volume_id(from.volume().id());
  to->set_encrypted_rpc_messaging(true);  // there is no other way between our components
  if (!from.connection_uri().empty()) to->set_connection_uri(from.connection_uri());
  if (!from.configuration_id().empty()) {
    to->mutable_configuration()->set_id(from.configuration_id());
    to->mutable_configuration()->set_name(from.configuration_name());
    AddLinks(asked.links,
             "configurations",
             from.configuration_id(),
             to->mutable_configuration()->mutable_links());
  }
  if (from.has_reason() && SaysSomething(from.reason())) {
    rest::v1::InstanceReason& reason = *to->mutable_reason();
    reason.set_step(from.reason().step());
    reason.set_waiting_for(from.reason().waiting_for());
    if (from.reason().has_since()) *reason.mutable_since() = from.reason().since();
    reason.set_last_error(from.reason().last_error());
    reason.set_help(from.reason().help());
  }
  if (!from.operation_id().empty()) to->set_operation_id(from.operation_id());
}

std::pair<std::int64_t, std::int32_t> CreatedAt(const rest::v1::Instance& instance) {
  return {instance.created().seconds(), instance.created().nanos()};
}

// PUT and PATCH, whose fields differ a little.
template <typename Document>
absl::StatusOr<InstanceChange> Change(const Document& document, const Asked& asked) {
  std::vector<std::string> others;  // every field that is there beside the name
  for (const char* other :
       {"configuration", "replica_of", "slave_of", "datastore_version", "access"}) {
    if (asked.presence.Has(std::string("instance.") + other)) others.emplace_back(other);
  }
  if (others.size() > 1) {
    std::string names;
    for (const std::string& name : others)
      names += (names.empty() ? "'" : ", '") + name + "'";
    return BadField("instance", "takes one change at a time beside 'name', not " + names);
  }

  InstanceChange change{.id = document.id()};
  if (document.instance().has_name()) change.name = document.instance().name();
  const std::string other = others.empty() ? "" : others.front();
  const std::string path = "instance['" + other + "']";
  if (other == "replica_of" || other == "slave_of") {
    return BadField(path, "cannot be detached: the instance is not a replica");
  }
  if (other == "access") return NotSupported(path, "a change of access");
  if (other == "datastore_version") {
    change.kind = InstanceChange::Kind::kUpgrade;
    change.value = document.instance().datastore_version();
  } else if (document.instance().has_configuration()) {
    change.kind = InstanceChange::Kind::kAttach;
    change.value = document.instance().configuration();
  } else if (other == "configuration" || !change.name.has_value()) {
    // Null, and also an object without any key.
    change.kind = InstanceChange::Kind::kDetach;
  }
  if (asked.validate_only && change.kind == InstanceChange::Kind::kNone) {
    return BadField("instance", "has nothing that takes an operation, so there is no plan");
  }
  return change;
}

}  // namespace

absl::StatusOr<v1::ListInstancesRequest> ToListInstances(
    const rest::v1::ListInstancesRequest& document, const Asked&) {
  v1::ListInstancesRequest request;
  const std::int64_t limit = document.has_limit() ? document.limit() : kPageSize;
  request.set_page_size(static_cast<std::int32_t>(std::min(limit, kPageSize)));
  request.set_page_token(document.marker());
  return request;
}

absl::StatusOr<v1::GetInstanceRequest> ToGetInstance(const rest::v1::ShowInstanceRequest& document,
                                                     const Asked&) {
  v1::GetInstanceRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::CreateInstanceRequest> ToCreateInstance(
    const rest::v1::CreateInstanceRequest& document, const Asked& asked) {
  const rest::v1::NewInstance& from = document.instance();
  TROVE_RETURN_IF_ERROR(CheckSupported(from));
  TROVE_RETURN_IF_ERROR(CheckNics(from));
  if (!from.has_flavor_ref()) {
    return MakeError(Reason::kFlavorUnknown,
                     "Validation error: instance 'flavorRef' is a required property");
  }
  if (!from.has_volume()) return BadField("instance", "'volume' is a required property");
  if (from.volume().size() > std::numeric_limits<std::int32_t>::max()) {
    return MakeError(Reason::kVolumeTooLarge,
                     "instance['volume']['size']: no volume is that large; give fewer GB");
  }
  if (from.has_region_name() && from.region_name() != asked.region) {
    return BadField("instance['region_name']", "is not the region here, which is " + asked.region);
  }

  v1::CreateInstanceRequest request;
  request.set_name(from.name());
  request.set_flavor_id(from.flavor_ref());
  request.set_volume_size_gib(static_cast<std::int32_t>(from.volume().size()));
  request.set_datastore(from.datastore().type());
  request.set_datastore_version(from.datastore().version());
  request.set_datastore_version_number(from.datastore().version_number());
  for (const rest::v1::NewDatabase& database : from.databases()) {
    v1::DatabaseSpec* added = request.add_databases();
    added->set_name(database.name());
    added->set_character_set(database.character_set());
    added->set_collation(database.collate());
  }
  for (const rest::v1::NewUser& user : from.users()) {
    v1::UserSpec* added = request.add_users();
    added->set_name(user.name());
    added->set_password(user.password());
    added->set_host(user.host());
    for (const rest::v1::DatabaseName& database : user.databases())
      added->add_databases(database.name());
  }
  for (const rest::v1::NewNic& nic : from.nics()) {
    v1::NicSpec* added = request.add_nics();
    added->set_network_id(nic.network_id());
    added->set_subnet_id(nic.subnet_id());
    added->set_ip_address(nic.ip_address());
  }
  request.set_configuration_id(from.configuration());
  if (from.has_access()) {
    request.mutable_access()->set_is_public(from.access().is_public());
    *request.mutable_access()->mutable_allowed_cidrs() = from.access().allowed_cidrs();
  }
  return request;
}

absl::StatusOr<v1::DeleteInstanceRequest> ToDeleteInstance(
    const rest::v1::DeleteInstanceRequest& document, const Asked&) {
  v1::DeleteInstanceRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::RestartInstanceRequest> ToRestartInstance(
    const rest::v1::RestartInstanceRequest& document, const Asked&) {
  v1::RestartInstanceRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::GrowVolumeRequest> ToGrowVolume(const rest::v1::ResizeVolumeRequest& document,
                                                   const Asked&) {
  const std::int64_t size = document.resize().volume().size();
  if (size > std::numeric_limits<std::int32_t>::max()) {
    return MakeError(Reason::kVolumeTooLarge,
                     "resize['volume']['size']: no volume is that large; give fewer GB");
  }
  v1::GrowVolumeRequest request;
  request.set_id(document.id());
  request.set_size_gib(static_cast<std::int32_t>(size));
  return request;
}

absl::StatusOr<v1::ResizeInstanceRequest> ToResizeInstance(
    const rest::v1::ResizeFlavorRequest& document, const Asked&) {
  v1::ResizeInstanceRequest request;
  request.set_id(document.id());
  request.set_flavor_id(document.resize().flavor_ref());
  return request;
}

absl::StatusOr<v1::StopInstanceRequest> ToStopInstance(
    const rest::v1::StopInstanceRequest& document, const Asked&) {
  v1::StopInstanceRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::StartInstanceRequest> ToStartInstance(
    const rest::v1::StartInstanceRequest& document, const Asked&) {
  v1::StartInstanceRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::RestartInstanceRequest> ToReboot(const rest::v1::RebootInstanceRequest& document,
                                                    const Asked&) {
  v1::RestartInstanceRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::RebuildInstanceRequest> ToRebuildInstance(
    const rest::v1::RebuildInstanceRequest& document, const Asked&) {
  v1::RebuildInstanceRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<InstanceChange> ChangeOfUpdate(const rest::v1::UpdateInstanceRequest& document,
                                              const Asked& asked) {
  return Change(document, asked);
}

absl::StatusOr<InstanceChange> ChangeOfEdit(const rest::v1::EditInstanceRequest& document,
                                            const Asked& asked) {
  return Change(document, asked);
}

rest::v1::ListInstancesResponse InstancesView(const v1::ListInstancesResponse& page,
                                              const Asked& asked) {
  rest::v1::ListInstancesResponse document;
  for (const v1::Instance& instance : page.instances())
    FillInstance(instance, asked, document.add_instances());
  // Pages follow the ids; inside a page the youngest comes first.
  std::stable_sort(document.mutable_instances()->pointer_begin(),
                   document.mutable_instances()->pointer_end(),
                   [](const rest::v1::Instance* a, const rest::v1::Instance* b) {
                     return CreatedAt(*a) > CreatedAt(*b);
                   });
  if (!page.next_page_token().empty()) {
    AddNextLink(asked.links,
                asked.target,
                page.next_page_token(),
                MarkerEncoding::kTwice,
                document.mutable_links());
    AddNextLink(asked.links,
                asked.target,
                page.next_page_token(),
                MarkerEncoding::kOnce,
                document.mutable_instances_links());
  }
  return document;
}

rest::v1::ShowInstanceResponse InstanceView(const v1::Instance& instance, const Asked& asked) {
  rest::v1::ShowInstanceResponse document;
  FillInstance(instance, asked, document.mutable_instance());
  return document;
}

rest::v1::CreateInstanceResponse NewInstanceView(const v1::Instance& instance, const Asked& asked) {
  rest::v1::CreateInstanceResponse document;
  FillInstance(instance, asked, document.mutable_instance());
  return document;
}

google::protobuf::Empty AcceptedView(const v1::Instance&, const Asked&) {
  return {};
}

}  // namespace trove::gateway
