#include "services/api/plan_create.h"

#include <algorithm>
#include <set>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"
#include "services/api/actions.h"
#include "services/api/choices.h"

namespace trove::api {
namespace {

std::string Indexed(const std::string& field, int index, const std::string& member) {
  return field + "[" + std::to_string(index) + "]." + member;
}

absl::StatusOr<std::set<std::string>> CheckDatabases(const v1::CreateInstanceRequest& request,
                                                     const Manifest& manifest) {
  std::set<std::string> names;
  for (int i = 0; i < request.databases_size(); ++i) {
    const v1::DatabaseSpec& database = request.databases(i);
    const std::string field = Indexed("databases", i, "name");
    TROVE_RETURN_IF_ERROR(CheckRule(manifest.database_names, field, database.name()));
    if (!names.insert(database.name()).second) {
      return FieldError(field, database.name() + " comes twice: leave one out");
    }
  }
  return names;
}

absl::Status CheckUsers(const v1::CreateInstanceRequest& request,
                        const Manifest& manifest,
                        const std::set<std::string>& databases) {
  std::set<std::pair<std::string, std::string>> seen;
  for (int i = 0; i < request.users_size(); ++i) {
    const v1::UserSpec& user = request.users(i);
    TROVE_RETURN_IF_ERROR(CheckRule(manifest.user_names, Indexed("users", i, "name"), user.name()));
    if (user.password().empty())
      return FieldError(Indexed("users", i, "password"), "must not be empty");
    if (user.password().size() > 1024 || !IsUtf8(user.password())) {
      return FieldError(Indexed("users", i, "password"),
                        "must be UTF-8 text of at most 1024 bytes");
    }
    const std::string host = user.host().empty() ? "%" : user.host();
    if (host.size() > 255 || host.find_first_of("'\"\\` ") != std::string::npos) {
      return FieldError(Indexed("users", i, "host"),
                        "must be an address or a pattern with %, as 10.0.0.%");
    }
    if (!seen.emplace(user.name(), host).second) {
      return FieldError(Indexed("users", i, "name"),
                        user.name() + "@" + host + " comes twice: leave one out");
    }
    std::set<std::string> granted;
    for (int j = 0; j < user.databases_size(); ++j) {
      const std::string field = Indexed("users", i, "databases") + "[" + std::to_string(j) + "]";
      if (!databases.contains(user.databases(j))) {
        return FieldError(
            field, user.databases(j) + " is not among the databases of this request: add it there");
      }
      if (!granted.insert(user.databases(j)).second) {
        return FieldError(field, user.databases(j) + " comes twice: leave one out");
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNics(const v1::CreateInstanceRequest& request) {
  if (request.nics_size() > 1) return FieldError("nics", "must have at most 1 entry");
  for (int i = 0; i < request.nics_size(); ++i) {
    const v1::NicSpec& nic = request.nics(i);
    if (nic.network_id().empty() && nic.subnet_id().empty()) {
      return FieldError(Indexed("nics", i, "network_id"), "a network_id or a subnet_id is needed");
    }
    if (!nic.network_id().empty()) {
      TROVE_RETURN_IF_ERROR(CheckUuid(Indexed("nics", i, "network_id"), nic.network_id()));
    }
    if (!nic.subnet_id().empty())
      TROVE_RETURN_IF_ERROR(CheckUuid(Indexed("nics", i, "subnet_id"), nic.subnet_id()));
    if (nic.ip_address().empty()) continue;
    if (nic.subnet_id().empty())
      return FieldError(Indexed("nics", i, "ip_address"), "needs a subnet_id beside it");
    TROVE_RETURN_IF_ERROR(CheckIpv4(Indexed("nics", i, "ip_address"), nic.ip_address()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NewInstance> PlanCreate(const v1::CreateInstanceRequest& request,
                                       const Caller& caller,
                                       const std::vector<Datastore>& datastores,
                                       const std::vector<Flavor>& flavors,
                                       const CreateRules& rules,
                                       const std::optional<Configuration>& configuration,
                                       absl::Time now) {
  TROVE_RETURN_IF_ERROR(CheckName("name", request.name()));
  TROVE_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  TROVE_ASSIGN_OR_RETURN(
      const Datastore* datastore,
      ChooseDatastore(datastores,
                      request.datastore().empty() ? rules.default_datastore : request.datastore()));
  TROVE_ASSIGN_OR_RETURN(
      const DatastoreVersion* version,
      ChooseVersion(*datastore, request.datastore_version(), request.datastore_version_number()));
  TROVE_ASSIGN_OR_RETURN(const Flavor* flavor, ChooseFlavor(flavors, request.flavor_id()));
  TROVE_RETURN_IF_ERROR(
      CheckVolumeSize("volume_size_gib", request.volume_size_gib(), rules.most_volume_gib));

  TROVE_ASSIGN_OR_RETURN(const Manifest* manifest, ManifestOf(rules.manifests, datastore->name));
  TROVE_ASSIGN_OR_RETURN(const std::set<std::string> databases, CheckDatabases(request, *manifest));
  TROVE_RETURN_IF_ERROR(CheckUsers(request, *manifest, databases));
  TROVE_RETURN_IF_ERROR(CheckNics(request));
  Access access{.is_public = request.access().is_public(), .allowed_cidrs = {}};
  access.allowed_cidrs.assign(request.access().allowed_cidrs().begin(),
                              request.access().allowed_cidrs().end());
  TROVE_RETURN_IF_ERROR(CheckAccess("access", access));

  if (configuration)
    TROVE_RETURN_IF_ERROR(CheckConfigurationFits(*configuration, *version, "configuration_id"));

  NewInstance planned;
  planned.instance.id = InstanceId(NewUuid());
  planned.instance.project_id = caller.project_id;
  planned.instance.name = request.name();
  planned.instance.version_id = version->id;
  planned.instance.flavor_id = flavor->id;
  planned.instance.volume_size_gib = request.volume_size_gib();
  planned.instance.access = std::move(access);
  planned.instance.region = rules.region;
  planned.guest_id = GuestId(NewUuid());
  planned.volume_id = VolumeId(NewUuid());
  planned.endpoint_id = EndpointId(NewUuid());
  planned.operation = NewOperation("instance.create", now + rules.time_limit, caller);
  planned.operation.project_id = caller.project_id;
  planned.operation.instance_id = planned.instance.id;
  planned.operation.request_id = request.request_id();
  if (configuration) {
    planned.instance.configuration_id = configuration->id;
    planned.locks.push_back(SharedLockOn(configuration->id));
  }
  planned.quota = InstanceQuota(flavor->ram_mib, request.volume_size_gib());
  return planned;
}

}  // namespace trove::api
