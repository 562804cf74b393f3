#pragma once

#include <absl/status/statusor.h>
#include <google/protobuf/empty.pb.h>

#include "trove/rest/v1/configuration.pb.h"
#include "trove/v1/configuration.pb.h"

#include "services/gateway/asked.h"

namespace trove::gateway {

absl::StatusOr<v1::ListConfigurationsRequest> ToListConfigurations(
    const rest::v1::ListConfigurationsRequest& document, const Asked& asked);
absl::StatusOr<v1::GetConfigurationRequest> ToGetConfiguration(
    const rest::v1::ShowConfigurationRequest& document, const Asked& asked);
absl::StatusOr<v1::CreateConfigurationRequest> ToCreateConfiguration(
    const rest::v1::CreateConfigurationRequest& document, const Asked& asked);
absl::StatusOr<v1::DeleteConfigurationRequest> ToDeleteConfiguration(
    const rest::v1::DeleteConfigurationRequest& document, const Asked& asked);

rest::v1::ListConfigurationsResponse ConfigurationsView(const v1::ListConfigurationsResponse& page,
                                                        const Asked& asked);

/// With `***` in place of every value whose name looks like a password's.
rest::v1::ShowConfigurationResponse ConfigurationView(const v1::Configuration& configuration,
                                                      const Asked& asked);
google::protobuf::Empty DeletedView(const v1::DeleteConfigurationResponse& response,
                                    const Asked& asked);

}  // namespace trove::gateway
