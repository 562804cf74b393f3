#pragma once

#include <string_view>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite/connection.h"

namespace trove::sqlite {

/// Brings the schema of an open database to `schema`, in the caller's transaction. One that is
/// there already stays.
absl::Status ApplyMigrations(Connection& db, absl::Time now, int schema = kStoreSchema);

/// OK when this release works on the database's schema; kFailedPrecondition says what to do
/// otherwise.
absl::Status CheckSchema(Connection& db, std::string_view path);

}  // namespace trove::sqlite
