#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/id.h"
#include "libtrove/base/mutex.h"
#include "libtrove/base/unique_fd.h"

namespace trove::taskmanager {

/// Notices at once when the keeper of a guest ends, however it does: one thread waits for all of
/// them. Thread-safe.
class KeeperWatch {
 public:
  using Heard = std::function<void(const GuestId&)>;

  /// Errors: kInternal: the system gives no more descriptors.
  static absl::StatusOr<std::unique_ptr<KeeperWatch>> Start();
  ~KeeperWatch();
  KeeperWatch(const KeeperWatch&) = delete;
  KeeperWatch& operator=(const KeeperWatch&) = delete;

  /// Who is told, on the thread that waits; null: nobody. One that was replaced may hear once more.
  void SetHeard(Heard heard) TROVE_EXCLUDES(mutex_);

  /// The guest's keeper is this process from now on; the same again changes nothing. Errors: as the
  /// system says; kNotFound among them: it has ended. It is not watched then.
  absl::Status Watch(const GuestId& guest, pid_t keeper) TROVE_EXCLUDES(mutex_);

  /// How many are watched.
  std::size_t watched() const TROVE_EXCLUDES(mutex_);

 private:
  struct Watched {
    GuestId guest;
    pid_t pid = 0;
    UniqueFd process;
  };

  KeeperWatch(UniqueFd poll, UniqueFd wake);
  void Run(const std::stop_token& stop);
  void Ended(std::uint64_t key) TROVE_EXCLUDES(mutex_);

  const UniqueFd poll_;
  const UniqueFd wake_;
  mutable Mutex mutex_;
  std::shared_ptr<const Heard> heard_ TROVE_GUARDED_BY(mutex_);
  std::uint64_t next_key_ TROVE_GUARDED_BY(mutex_) = 1;  // 0 is wake_
  std::map<std::uint64_t, Watched> watched_ TROVE_GUARDED_BY(mutex_);
  std::map<GuestId, std::uint64_t> key_of_ TROVE_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace trove::taskmanager
