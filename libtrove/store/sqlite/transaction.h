#pragma once

#include <absl/time/time.h>

#include "libtrove/base/clock.h"
#include "libtrove/store/sqlite/connection.h"

namespace trove::sqlite {

/// What a unit of work works with: a connection inside a transaction (or one statement long), and
/// the store's time, the same for the whole of it.
struct Transaction {
  Connection& db;
  absl::Time now;  ///< in whole microseconds, as it is stored
};

/// The time as it can be stored.
inline absl::Time StoreNow(const Clock& clock) {
  return absl::FromUnixMicros(absl::ToUnixMicros(clock.Now()));
}

}  // namespace trove::sqlite
