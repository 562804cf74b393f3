#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/clock.h"
#include "libtrove/store/store.h"

namespace trove {

struct SqliteStoreOptions {
  /// The database file, which Migrate has made; or `:memory:`: a store of this object alone, made
  /// here and gone with it, whose reads take turns with its writes.
  std::string path;
  /// Must outlive the store. Null: the machine's clock. Processes that share a file share a clock.
  const Clock* clock = nullptr;
  /// Exactly one process that has the file open should check-point it: it moves the write-ahead log
  /// into the database beside the writers, and cuts it off, so that erased bytes leave the disk.
  bool checkpoint = false;
  /// How often it looks whether there is something to move.
  absl::Duration checkpoint_interval = absl::Seconds(1);
  /// The longest that erased bytes stay in the log.
  absl::Duration truncate_interval = absl::Seconds(30);
};

/// The embedded Store: one SQLite file, shared by the processes of one host. The file must lie on a
/// local file system.
///
/// Writes of one process are queued and committed in groups, by one thread; across processes a lock
/// on `<path>.lock` makes them take turns. The destructor finishes the queue first and waits for
/// that lock.
///
/// Errors: kNotFound: no such file; kFailedPrecondition: the file's schema is not one that this
/// release works on, or the file is no store; else as every method's.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const SqliteStoreOptions& options);

}  // namespace trove
