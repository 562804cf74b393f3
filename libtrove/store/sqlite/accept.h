#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<Accepted> CreateInstance(Transaction& tx,
                                        const Requester& requester,
                                        const NewInstance& wanted);
absl::StatusOr<Accepted> BeginAction(Transaction& tx,
                                     const Requester& requester,
                                     const NewAction& action);
absl::StatusOr<Accepted> BeginDelete(Transaction& tx,
                                     const Requester& requester,
                                     const NewAction& action);
absl::StatusOr<std::optional<Accepted>> FindAnswer(Transaction& tx, const Requester& requester);
absl::StatusOr<Accepted> RenameInstance(Transaction& tx,
                                        const Requester& requester,
                                        const InstanceId& id,
                                        const std::string& name);

/// Sets what an instance shows from the acceptance of an operation on.
absl::Status SetAcceptedStatus(Transaction& tx,
                               const InstanceId& id,
                               TaskStatus task,
                               const std::optional<ServiceStatus>& service);

}  // namespace trove::sqlite
