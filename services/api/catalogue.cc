#include "services/api/catalogue.h"

#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/quota.h"

namespace trove::api {
namespace {

void FillVersion(const DatastoreVersion& version, v1::DatastoreVersion* message) {
  message->set_id(version.id.value());
  message->set_name(version.name);
  message->set_datastore_id(version.datastore_id.value());
  message->set_datastore_name(version.datastore_name);
  message->set_version_number(version.number);
  message->set_active(version.active);
  message->set_agent(version.agent);
}

void FillDatastore(const Datastore& datastore, bool inactive_too, v1::Datastore* message) {
  message->set_id(datastore.id.value());
  message->set_name(datastore.name);
  message->set_default_version_id(datastore.default_version_id.value());
  for (const DatastoreVersion& version : datastore.versions) {
    if (version.active || inactive_too) FillVersion(version, message->add_versions());
  }
}

void FillFlavor(const Flavor& flavor, v1::Flavor* message) {
  message->set_id(flavor.id.value());
  message->set_name(flavor.name);
  message->set_ram_mib(flavor.ram_mib);
  message->set_vcpus(flavor.vcpus);
  message->set_disk_gib(flavor.disk_gib);
  message->set_ephemeral_gib(flavor.ephemeral_gib);
}

}  // namespace

absl::StatusOr<Datastore> CatalogueReader::FindDatastore(const Call& call,
                                                         const std::string& wanted) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Datastore> datastores, store_.ListDatastores(call));
  for (const Datastore& datastore : datastores) {
    if (datastore.id.value() == wanted || datastore.name == wanted) return datastore;
  }
  return MakeError(Reason::kDatastoreNotFound, "there is no datastore " + wanted);
}

absl::Status CatalogueReader::GetDatastore(const Call& call,
                                           const Caller&,
                                           const v1::GetDatastoreRequest& request,
                                           v1::Datastore* response) {
  TROVE_ASSIGN_OR_RETURN(const Datastore datastore, FindDatastore(call, request.datastore()));
  FillDatastore(datastore, false, response);
  return absl::OkStatus();
}

absl::Status CatalogueReader::ListDatastores(const Call& call,
                                             const Caller& caller,
                                             const v1::ListDatastoresRequest&,
                                             v1::ListDatastoresResponse* response) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Datastore> datastores, store_.ListDatastores(call));
  for (const Datastore& datastore : datastores) {
    v1::Datastore message;
    FillDatastore(datastore, caller.IsAdmin(), &message);
    if (message.versions_size() > 0 || caller.IsAdmin()) *response->add_datastores() = message;
  }
  return absl::OkStatus();
}

absl::Status CatalogueReader::GetVersion(const Call& call,
                                         const Caller&,
                                         const v1::GetDatastoreVersionRequest& request,
                                         v1::DatastoreVersion* response) {
  std::vector<Datastore> datastores;
  if (request.datastore().empty()) {
    TROVE_ASSIGN_OR_RETURN(datastores, store_.ListDatastores(call));
  } else {
    TROVE_ASSIGN_OR_RETURN(Datastore datastore, FindDatastore(call, request.datastore()));
    datastores.push_back(std::move(datastore));
  }
  std::vector<const DatastoreVersion*> found;
  for (const Datastore& datastore : datastores) {
    for (const DatastoreVersion& version : datastore.versions) {
      const bool by_name = !request.datastore().empty() && version.name == request.version();
      if (version.id.value() == request.version() || by_name) found.push_back(&version);
    }
  }
  if (found.size() == 1) {
    FillVersion(*found[0], response);
    return absl::OkStatus();
  }
  if (found.size() > 1) {
    return MakeError(Reason::kVersionUnknown,
                     "several versions are named " + request.version() + ": ask by id");
  }
  // As Trove answers: an id that belongs nowhere is not found below its datastore, anything else is
  // a bad request.
  const bool missing_id = !request.datastore().empty() && IsUuid(request.version());
  return MakeError(missing_id ? Reason::kVersionNotFound : Reason::kVersionUnknown,
                   "there is no datastore version " + request.version());
}

absl::Status CatalogueReader::ListVersions(const Call& call,
                                           const Caller& caller,
                                           const v1::ListDatastoreVersionsRequest& request,
                                           v1::ListDatastoreVersionsResponse* response) {
  TROVE_ASSIGN_OR_RETURN(const Datastore datastore, FindDatastore(call, request.datastore()));
  for (const DatastoreVersion& version : datastore.versions) {
    if (version.active || caller.IsAdmin()) FillVersion(version, response->add_versions());
  }
  return absl::OkStatus();
}

absl::Status CatalogueReader::GetFlavor(const Call& call,
                                        const Caller&,
                                        const v1::GetFlavorRequest& request,
                                        v1::Flavor* response) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, store_.ListFlavors(call));
  for (const Flavor& flavor : flavors) {
    if (flavor.id.value() != request.id()) continue;
    FillFlavor(flavor, response);
    return absl::OkStatus();
  }
  return MakeError(Reason::kFlavorNotFound, "there is no flavor " + request.id());
}

absl::Status CatalogueReader::ListFlavors(const Call& call,
                                          const Caller&,
                                          const v1::ListFlavorsRequest&,
                                          v1::ListFlavorsResponse* response) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Flavor> flavors, store_.ListFlavors(call));
  for (const Flavor& flavor : flavors)
    FillFlavor(flavor, response->add_flavors());
  return absl::OkStatus();
}

absl::Status CatalogueReader::GetLimits(const Call& call,
                                        const Caller& caller,
                                        const v1::GetLimitsRequest&,
                                        v1::Limits* response) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Quota> quotas,
                         store_.GetQuotas(call, caller.project_id));
  response->set_project_id(caller.project_id.value());
  for (const Quota& quota : quotas) {
    v1::Quota* added = response->add_quotas();
    added->set_resource(std::string(QuotaResourceName(quota.resource)));
    added->set_limit(quota.limit);
    added->set_in_use(quota.in_use);
    added->set_reserved(quota.reserved);
  }
  return absl::OkStatus();
}

}  // namespace trove::api
