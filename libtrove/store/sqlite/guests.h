#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::StatusOr<bool> IsBuried(Transaction& tx, const GuestId& guest);
absl::StatusOr<std::vector<Guest>> ListGuests(Transaction& tx, const std::string& placement_prefix);
absl::StatusOr<EnrolledGuest> EnrolGuest(Transaction& tx, const EnrolmentRequest& request);

}  // namespace trove::sqlite
