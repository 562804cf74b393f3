#include "libtrove/store/sqlite/connection.h"

#include <poll.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "libtrove/base/status_macros.h"

namespace trove::sqlite {
namespace {

constexpr int kProgressInstructions = 20'000;  // of SQLite's machine: about a millisecond
constexpr int kBusyWaitMs = 2;
constexpr int kBusyWaits = 2'500;  // five seconds without a call

// Once, before SQLite is used. Whenever another process has written, a connection forgets the pages
// that it has; so each takes room for some at once, and nobody counts what is allocated. Refused,
// which costs time alone, when something else in the process was first.
void ConfigureLibrary() {
  constexpr int kPageAndHeader = 4096 + 264;
  constexpr int kPagesAtOnce = 256;
  static const bool kDone = [] {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, kPageAndHeader, kPagesAtOnce);
    return true;
  }();
  static_cast<void>(kDone);
}

bool IsFull(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

absl::StatusCode CodeOf(int extended, int system_error) {
  switch (extended & 0xff) {
    case SQLITE_FULL:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return IsFull(system_error) ? absl::StatusCode::kResourceExhausted
                                  : absl::StatusCode::kUnavailable;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
      return absl::StatusCode::kUnavailable;
    case SQLITE_INTERRUPT:
      return absl::StatusCode::kDeadlineExceeded;
    case SQLITE_CONSTRAINT:
      return extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? absl::StatusCode::kAlreadyExists
                 : absl::StatusCode::kInternal;
    default:
      return absl::StatusCode::kInternal;
  }
}

// The errno behind a failed access to a file; 0: there is none. SQLite's own word on it is often
// lost in the roll-back, so that the files are asked too: the database, then its log.
int SystemError(sqlite3* db, int code) {
  if ((code & 0xff) != SQLITE_IOERR && (code & 0xff) != SQLITE_CANTOPEN) return 0;
  if (const int error = sqlite3_system_errno(db); error != 0) return error;
  for (const int which : {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER}) {
    sqlite3_file* file = nullptr;
    int error = 0;
    if (sqlite3_file_control(db, "main", which, &file) != SQLITE_OK || file == nullptr ||
        file->pMethods == nullptr)
      continue;
    if (file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error) == SQLITE_OK &&
        error != 0)
      return error;
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path,
                                                             OpenMode mode) {
  ConfigureLibrary();
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= mode == OpenMode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == OpenMode::kCreate) flags |= SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) return absl::UnavailableError("open store " + path + ": out of memory");
  std::unique_ptr<Connection> connection(new Connection(handle));
  if (code != SQLITE_OK) {
    if (sqlite3_system_errno(handle) == ENOENT)
      return absl::NotFoundError("open store " + path + ": no such file");
    return connection->StatusOf(code, "open store " + path);
  }
  TROVE_RETURN_IF_ERROR(connection->Configure(mode));
  return connection;
}

absl::Status Connection::Configure(OpenMode mode) {
  sqlite3_busy_handler(handle_.get(), &OnBusy, this);
  sqlite3_progress_handler(handle_.get(), kProgressInstructions, &OnProgress, this);
  // Whoever checkpoints does so on purpose: a commit never does, nor does the last one to close.
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  TROVE_RETURN_IF_ERROR(
      Execute("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024"));
  if (mode == OpenMode::kReadOnly) return absl::OkStatus();
  // A writer touches many pages between two commits; readers are many and touch few.
  return Execute(
      "PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; "
      "PRAGMA cache_size = -8192");
}

absl::Status Connection::Execute(std::string_view sql) {
  const std::string text(sql);
  const int code = sqlite3_exec(handle_.get(), text.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : StatusOf(code, text.substr(0, 60));
}

absl::Status Connection::StatusOf(int code, std::string_view what) const {
  // A call that is over explains an interruption or a lock better than SQLite does.
  if (const int primary = code & 0xff;
      call_ != nullptr && (primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY)) {
    if (absl::Status over = call_->Check(); !over.ok()) return over;
  }
  const int system_error = SystemError(handle_.get(), code);
  std::string message = "store: ";
  message.append(what).append(": ").append(sqlite3_errstr(code));
  if (const std::string detail = sqlite3_errmsg(handle_.get()); detail != sqlite3_errstr(code))
    message += " (" + detail + ")";
  message += " [" + std::to_string(code) + "]";
  if (system_error != 0) message += " (" + std::generic_category().message(system_error) + ")";
  return {CodeOf(code, system_error), message};
}

absl::StatusOr<StatementHandle> Connection::Take(std::string_view sql) {
  if (const auto found = cache_.find(sql); found != cache_.end()) {
    StatementHandle statement = std::move(found->second);
    cache_.erase(found);
    return statement;
  }
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(),
                                      sql.data(),
                                      static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT,
                                      &raw,
                                      nullptr);
  StatementHandle statement(raw);
  if (code != SQLITE_OK) return StatusOf(code, sql.substr(0, 60));
  return statement;
}

void Connection::Return(std::string_view sql, StatementHandle statement) {
  sqlite3_reset(statement.get());
  sqlite3_clear_bindings(statement.get());
  cache_.try_emplace(sql, std::move(statement));
}

int Connection::OnBusy(void* self, int count) {
  const Call* const call = static_cast<Connection*>(self)->call_;
  if (call != nullptr ? !call->Check().ok() : count >= kBusyWaits) return 0;
  ::poll(nullptr, 0, kBusyWaitMs);
  return 1;
}

int Connection::OnProgress(void* self) {
  const Call* const call = static_cast<Connection*>(self)->call_;
  return call != nullptr && !call->Check().ok() ? 1 : 0;
}

}  // namespace trove::sqlite
