#pragma once

#include <optional>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<ConfigurationView> CreateConfiguration(Transaction& tx,
                                                      const Requester& requester,
                                                      const Configuration& configuration);
absl::StatusOr<ConfigurationView> GetConfiguration(Transaction& tx,
                                                   const std::optional<ProjectId>& project,
                                                   const ConfigurationId& id);
absl::StatusOr<ConfigurationPage> ListConfigurations(Transaction& tx,
                                                     const ProjectId& project,
                                                     const ConfigurationId& after,
                                                     int limit);
absl::Status DeleteConfiguration(Transaction& tx,
                                 const Requester& requester,
                                 const ConfigurationId& id);

/// A group and the instance that begins or ends to use it.
struct Attachment {
  const ConfigurationId& id;
  const ProjectId& project_id;  ///< of both
  const InstanceId& instance_id;
};

/// Writes that a group was `attached` or `detached`. kConfigurationNotFound: there is no such group
/// in the project.
absl::Status AttachEvent(Transaction& tx,
                         std::string_view type,
                         const Attachment& attachment,
                         std::string_view user = {});

}  // namespace trove::sqlite
