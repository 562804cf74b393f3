#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <stop_token>
#include <thread>

#include <absl/status/status.h>

#include "trove/v1/operation.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/id.h"
#include "libtrove/base/mutex.h"
#include "libtrove/rpc/stream.h"
#include "libtrove/store/store.h"

namespace trove::api {

/// Feeds every stream that watches an operation, from one thread that reads the store: a watch
/// holds no thread, and one of an operation that does not change costs a look now and then.
/// Thread-safe.
class OperationWatcher {
 public:
  /// `store` must outlive this object.
  explicit OperationWatcher(Store& store);
  ~OperationWatcher();

  /// More watches than this at a time are refused.
  static constexpr std::size_t kMostWatches = 1000;

  /// Sends the operation as it is, then each change, and closes `stream` after the last.
  /// Errors (by `stream`): kOperationNotFound; kOverloaded: too many watches.
  void Watch(const Call& call,
             const std::optional<ProjectId>& project,
             const OperationId& id,
             const rpc::Stream<v1::Operation>& stream) TROVE_EXCLUDES(mutex_);

  /// The operation may have changed; without it that is seen within half a second.
  void Wake(const OperationId& id) TROVE_EXCLUDES(mutex_);
  /// All may have.
  void WakeAll() TROVE_EXCLUDES(mutex_);

 private:
  struct Watched {
    Call call;
    std::optional<ProjectId> project;
    OperationId id;
    rpc::Stream<v1::Operation> stream;
    std::int64_t sent_version = -1;
  };

  void Run(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  // Whether to go on watching.
  bool Advance(Watched& watched);

  Store& store_;
  Mutex mutex_;
  CondVar changed_;
  std::list<Watched> arrived_ TROVE_GUARDED_BY(mutex_);
  std::set<OperationId> woken_ TROVE_GUARDED_BY(mutex_);
  bool all_woken_ TROVE_GUARDED_BY(mutex_) = false;
  std::size_t count_ TROVE_GUARDED_BY(mutex_) = 0;
  std::jthread thread_;
};

}  // namespace trove::api
