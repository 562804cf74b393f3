#pragma once

#include <string>

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
absl::StatusOr<InstanceView> RenameInstance(Transaction& tx,
                                            const Requester& requester,
                                            const InstanceId& id,
                                            const std::string& name);

}  // namespace trove::sqlite
