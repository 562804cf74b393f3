#include "services/gateway/views/configurations.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace trove::gateway {
namespace {

bool LooksSecret(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return lower.find("password") != std::string::npos || lower.find("passwd") != std::string::npos;
}

void Fill(const v1::Configuration& from, rest::v1::Configuration* to) {
  to->set_id(from.id());
  to->set_name(from.name());
  to->set_description(from.description());
  for (const auto& [name, value] : from.values())
    (*to->mutable_values())[name] = LooksSecret(name) ? R"("***")" : value;
  *to->mutable_created() = from.created_at();
  *to->mutable_updated() = from.updated_at();
  to->set_instance_count(from.instance_count());
  to->set_datastore_name(from.datastore_name());
  to->set_datastore_version_id(from.version_id());
  to->set_datastore_version_name(from.version_name());
  to->set_datastore_version_number(from.version_number());
}

}  // namespace

absl::StatusOr<v1::ListConfigurationsRequest> ToListConfigurations(
    const rest::v1::ListConfigurationsRequest& document, const Asked&) {
  constexpr std::int64_t kPageSize = 20;  // by default and at most
  v1::ListConfigurationsRequest request;
  const std::int64_t limit = document.has_limit() ? document.limit() : kPageSize;
  request.set_page_size(static_cast<std::int32_t>(std::min(limit, kPageSize)));
  request.set_page_token(document.marker());
  return request;
}

absl::StatusOr<v1::GetConfigurationRequest> ToGetConfiguration(
    const rest::v1::ShowConfigurationRequest& document, const Asked&) {
  v1::GetConfigurationRequest request;
  request.set_id(document.id());
  return request;
}

absl::StatusOr<v1::CreateConfigurationRequest> ToCreateConfiguration(
    const rest::v1::CreateConfigurationRequest& document, const Asked&) {
  const rest::v1::NewConfiguration& from = document.configuration();
  v1::CreateConfigurationRequest request;
  request.set_name(from.name());
  request.set_description(from.description());
  request.set_datastore(from.datastore().type());
  request.set_datastore_version(from.datastore().version());
  request.set_datastore_version_number(from.datastore().version_number());
  *request.mutable_values() = from.values();
  return request;
}

absl::StatusOr<v1::DeleteConfigurationRequest> ToDeleteConfiguration(
    const rest::v1::DeleteConfigurationRequest& document, const Asked&) {
  v1::DeleteConfigurationRequest request;
  request.set_id(document.id());
  return request;
}

rest::v1::ListConfigurationsResponse ConfigurationsView(const v1::ListConfigurationsResponse& page,
                                                        const Asked& asked) {
  rest::v1::ListConfigurationsResponse document;
  for (const v1::Configuration& configuration : page.configurations())
    Fill(configuration, document.add_configurations());
  if (!page.next_page_token().empty()) {
    AddNextLink(asked.links,
                asked.target,
                page.next_page_token(),
                MarkerEncoding::kTwice,
                document.mutable_links());
  }
  return document;
}

rest::v1::ShowConfigurationResponse ConfigurationView(const v1::Configuration& configuration,
                                                      const Asked&) {
  rest::v1::ShowConfigurationResponse document;
  Fill(configuration, document.mutable_configuration());
  return document;
}

google::protobuf::Empty DeletedView(const v1::DeleteConfigurationResponse&, const Asked&) {
  return {};
}

}  // namespace trove::gateway
