#include "libtrove/store/migrations.h"

#include <fcntl.h>

#include <cerrno>
#include <memory>

#include <absl/time/clock.h>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"
#include "libtrove/store/sqlite/connection.h"
#include "libtrove/store/sqlite/file_lock.h"
#include "libtrove/store/sqlite/schema.h"

namespace trove {

absl::Status Migrate(const std::string& path) {
  TROVE_ASSIGN_OR_RETURN(const auto lock, sqlite::FileLock::Open(path));
  TROVE_RETURN_IF_ERROR(lock->Lock());  // let go of with the lock's descriptor
  // Made here, because SQLite would give it the umask's mode; its companions take the file's. One
  // that is there is not opened: closing it would drop the locks of this process's connections.
  const UniqueFd made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made && errno != EEXIST) return ErrnoStatus(errno, "make store " + path);
  TROVE_ASSIGN_OR_RETURN(const auto db,
                         sqlite::Connection::Open(path, sqlite::OpenMode::kReadWrite));
  TROVE_RETURN_IF_ERROR(db->Execute("BEGIN IMMEDIATE"));
  if (absl::Status applied = sqlite::ApplyMigrations(*db, absl::Now()); !applied.ok()) {
    db->Execute("ROLLBACK").IgnoreError();  // the first error says more
    return Annotate(applied, "migrate store " + path);
  }
  TROVE_RETURN_IF_ERROR(db->Execute("COMMIT"));
  return db->Execute("PRAGMA journal_mode = WAL");
}

}  // namespace trove
