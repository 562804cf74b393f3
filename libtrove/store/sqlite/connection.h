#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <sqlite3.h>

#include "libtrove/base/call.h"
#include "libtrove/base/handle.h"

// SQLite, with our errors, deadlines and lifetimes. Private to the store.

namespace trove::sqlite {

using StatementHandle = Handle<sqlite3_stmt, sqlite3_finalize>;

enum class OpenMode { kReadOnly, kReadWrite, kCreate };

/// One connection and the statements it has compiled. Used by one thread at a time.
class Connection {
 public:
  /// Opens `path` (or `:memory:`) with foreign keys, secure deletion and full synchronisation on,
  /// and without checkpoints of its own. Errors: kNotFound: no such file, unless kCreate; else as
  /// StatusOf.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path, OpenMode mode);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Whose deadline and stop token end what runs from now on. Null: waiting for a lock ends after
  /// five seconds, and nothing else does. `call` must outlive its use.
  void SetCall(const Call* call) { call_ = call; }

  /// Runs statements without parameters and without a result.
  absl::Status Execute(std::string_view sql);

  /// Rows changed by the last statement.
  int changes() const { return sqlite3_changes(handle_.get()); }
  /// Whether a transaction is open: SQLite ends one by itself after some errors.
  bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  sqlite3* handle() const { return handle_.get(); }

  /// The status for `code`, the answer of a call on this connection while doing `what`.
  absl::Status StatusOf(int code, std::string_view what) const;

 private:
  friend class Statement;

  explicit Connection(sqlite3* handle) : handle_(handle) {}

  absl::Status Configure(OpenMode mode);
  absl::StatusOr<StatementHandle> Take(std::string_view sql);
  void Return(std::string_view sql, StatementHandle statement);
  static int OnBusy(void* self, int count);
  static int OnProgress(void* self);

  Handle<sqlite3, sqlite3_close_v2> handle_;
  const Call* call_ = nullptr;
  std::unordered_map<std::string_view, StatementHandle> cache_;  // idle ones, by their text
};

}  // namespace trove::sqlite
