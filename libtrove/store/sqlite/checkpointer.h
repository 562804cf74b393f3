#pragma once

#include <memory>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "libtrove/base/mutex.h"
#include "libtrove/store/sqlite/connection.h"
#include "libtrove/store/sqlite/file_lock.h"

namespace trove::sqlite {

/// Moves the write-ahead log into the database, beside the writers, and cuts it off now and then:
/// what was erased or overwritten has left the disk when that is done. The only one that does so
/// for a file.
class Checkpointer {
 public:
  Checkpointer(std::string path,
               std::unique_ptr<Connection> db,
               std::unique_ptr<FileLock> lock,
               absl::Duration interval,
               absl::Duration truncate_interval);

  /// Cuts the log off once more, unless readers hold it.
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

 private:
  void Loop() TROVE_EXCLUDES(mutex_);
  bool Wait() TROVE_EXCLUDES(mutex_);
  std::uintmax_t LogSize() const;
  void Copy();
  bool Truncate();

  const std::string log_path_;
  const std::unique_ptr<Connection> db_;
  const std::unique_ptr<FileLock> lock_;
  const absl::Duration interval_;
  const absl::Duration truncate_interval_;
  Mutex mutex_;
  CondVar changed_;
  bool closing_ TROVE_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace trove::sqlite
