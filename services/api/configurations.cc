#include "services/api/configurations.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"
#include "services/api/choices.h"
#include "services/api/times.h"

namespace trove::api {
namespace {

constexpr int kDefaultPageSize = 20;
constexpr std::size_t kLongestDescription = 1024;

void FillConfiguration(const ConfigurationView& view, v1::Configuration* message) {
  const Configuration& configuration = view.configuration;
  message->set_id(configuration.id.value());
  message->set_project_id(configuration.project_id.value());
  message->set_name(configuration.name);
  message->set_description(configuration.description);
  message->set_datastore_name(view.version.datastore_name);
  message->set_version_id(configuration.version_id.value());
  message->set_version_name(view.version.name);
  message->set_version_number(view.version.number);
  message->mutable_values()->insert(configuration.values.begin(), configuration.values.end());
  message->set_instance_count(view.instance_count);
  SetTime(configuration.created_at, message->mutable_created_at());
  SetTime(configuration.updated_at, message->mutable_updated_at());
}

}  // namespace

Configurations::Configurations(Store& store,
                               const Requests& requests,
                               std::vector<Manifest> manifests,
                               std::string default_datastore)
    : store_(store),
      requests_(requests),
      manifests_(std::move(manifests)),
      default_datastore_(std::move(default_datastore)) {}

absl::StatusOr<ConfigurationView> Configurations::Plan(
    const Call& call, const Caller& caller, const v1::CreateConfigurationRequest& request) {
  TROVE_RETURN_IF_ERROR(CheckName("name", request.name()));
  if (request.description().size() > kLongestDescription)
    return FieldError("description", "must be at most 1024 bytes long");
  TROVE_ASSIGN_OR_RETURN(const std::vector<Datastore> datastores, store_.ListDatastores(call));
  TROVE_ASSIGN_OR_RETURN(
      const Datastore* datastore,
      ChooseDatastore(datastores,
                      request.datastore().empty() ? default_datastore_ : request.datastore()));
  TROVE_ASSIGN_OR_RETURN(
      const DatastoreVersion* version,
      ChooseVersion(*datastore, request.datastore_version(), request.datastore_version_number()));
  TROVE_ASSIGN_OR_RETURN(const Manifest* manifest, ManifestOf(manifests_, datastore->name));
  ConfigurationView planned;
  planned.version = *version;
  planned.configuration.id = ConfigurationId(NewUuid());
  planned.configuration.project_id = caller.project_id;
  planned.configuration.name = request.name();
  planned.configuration.description = request.description();
  planned.configuration.version_id = version->id;
  planned.configuration.values.insert(request.values().begin(), request.values().end());
  TROVE_RETURN_IF_ERROR(CheckParameters(*manifest, planned.configuration.values));
  return planned;
}

absl::Status Configurations::Create(const Call& call,
                                    const Caller& caller,
                                    const v1::CreateConfigurationRequest& request,
                                    v1::Configuration* response) {
  TROVE_ASSIGN_OR_RETURN(const ConfigurationView planned, Plan(call, caller, request));
  TROVE_ASSIGN_OR_RETURN(const Requester requester, requests_.Ask(caller, request));
  TROVE_ASSIGN_OR_RETURN(const ConfigurationView created,
                         store_.CreateConfiguration(call, requester, planned.configuration));
  FillConfiguration(created, response);
  return absl::OkStatus();
}

absl::Status Configurations::Get(const Call& call,
                                 const Caller& caller,
                                 const v1::GetConfigurationRequest& request,
                                 v1::Configuration* response) {
  TROVE_ASSIGN_OR_RETURN(
      const ConfigurationView view,
      store_.GetConfiguration(call, ScopeOf(caller), ConfigurationId(request.id())));
  FillConfiguration(view, response);
  return absl::OkStatus();
}

absl::Status Configurations::List(const Call& call,
                                  const Caller& caller,
                                  const v1::ListConfigurationsRequest& request,
                                  v1::ListConfigurationsResponse* response) {
  TROVE_RETURN_IF_ERROR(CheckPageSize("page_size", request.page_size()));
  const int size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  TROVE_ASSIGN_OR_RETURN(const ConfigurationPage page,
                         store_.ListConfigurations(
                             call, caller.project_id, ConfigurationId(request.page_token()), size));
  for (const ConfigurationView& view : page.configurations)
    FillConfiguration(view, response->add_configurations());
  if (page.more) response->set_next_page_token(page.configurations.back().configuration.id.value());
  return absl::OkStatus();
}

absl::Status Configurations::Delete(const Call& call,
                                    const Caller& caller,
                                    const v1::DeleteConfigurationRequest& request,
                                    v1::DeleteConfigurationResponse*) {
  TROVE_ASSIGN_OR_RETURN(const Requester requester, requests_.Ask(caller, request));
  const std::string resource = "configurations/" + request.id();
  TROVE_ASSIGN_OR_RETURN(const std::optional<Accepted> earlier,
                         requests_.FindAnswer(call, caller, requester, resource));
  if (earlier) return absl::OkStatus();
  return store_.DeleteConfiguration(call, requester, ConfigurationId(request.id()));
}

}  // namespace trove::api
