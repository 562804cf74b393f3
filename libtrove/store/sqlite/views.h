#pragma once

#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store: one statement each.
absl::StatusOr<InstanceView> GetInstance(Transaction& tx,
                                         const std::optional<ProjectId>& project,
                                         const InstanceId& id);
absl::StatusOr<InstancePage> ListInstances(Transaction& tx,
                                           const ProjectId& project,
                                           const InstanceId& after,
                                           int limit);

/// The instance alone; absent when there is none. System instances too.
absl::StatusOr<std::optional<Instance>> FindInstance(Transaction& tx, const InstanceId& id);

/// kInstanceNotFound, which says when it was deleted if it was one of `project` (or of anyone, when
/// absent).
absl::Status InstanceNotFound(Transaction& tx,
                              const std::optional<ProjectId>& project,
                              const InstanceId& id);

/// The statements behind a get and a list, for those who check how they are run.
const std::string& GetInstanceSql();
const std::string& ListInstancesSql();

}  // namespace trove::sqlite
