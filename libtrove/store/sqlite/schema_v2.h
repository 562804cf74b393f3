#pragma once

#include <absl/status/status.h>

#include "libtrove/store/sqlite/connection.h"

namespace trove::sqlite {

/// Brings schema 1 to 2: configuration groups, the audit record, operations that are cancelled,
/// retried and held back, and events without indexes that nobody reads.
absl::Status Version2(Connection& db);

}  // namespace trove::sqlite
