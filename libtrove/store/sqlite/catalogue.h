#pragma once

#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/model/catalogue.h"
#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/transaction.h"

namespace trove::sqlite {

// As the methods of Store.
absl::Status ImportCatalogue(Transaction& tx, const Catalogue& catalogue);
absl::StatusOr<std::vector<Datastore>> ListDatastores(Transaction& tx);
absl::StatusOr<std::vector<Flavor>> ListFlavors(Transaction& tx);

}  // namespace trove::sqlite
