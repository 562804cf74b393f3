#include "services/api/operation_watcher.h"

#include <utility>

#include "libtrove/model/errors.h"
#include "services/api/operation_view.h"

namespace trove::api {
namespace {

// How soon a change is seen that the bus did not tell of. Reading one row by its key costs some
// 20 µs.
constexpr absl::Duration kLookEvery = absl::Milliseconds(500);
// More changes than this at once, and all are looked at.
constexpr std::size_t kMostWoken = 10'000;

}  // namespace

OperationWatcher::OperationWatcher(Store& store)
    : store_(store), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

OperationWatcher::~OperationWatcher() {
  thread_.request_stop();
  const MutexLock lock(mutex_);
  changed_.NotifyAll();
}

void OperationWatcher::Watch(const Call& call,
                             const std::optional<ProjectId>& project,
                             const OperationId& id,
                             const rpc::Stream<v1::Operation>& stream) {
  {
    const MutexLock lock(mutex_);
    if (count_ < kMostWatches) {
      ++count_;
      arrived_.push_back({call, project, id, stream, -1});
      changed_.NotifyAll();
      return;
    }
  }
  stream.Close(MakeError(Reason::kOverloaded,
                         "too many watches: ask for the operation now and then instead",
                         {.retry_after = absl::Seconds(5)}));
}

void OperationWatcher::Wake(const OperationId& id) {
  const MutexLock lock(mutex_);
  if (count_ == 0) return;
  if (woken_.size() < kMostWoken) {
    woken_.insert(id);
  } else {
    all_woken_ = true;
  }
  changed_.NotifyAll();
}

void OperationWatcher::WakeAll() {
  const MutexLock lock(mutex_);
  all_woken_ = true;
  changed_.NotifyAll();
}

void OperationWatcher::Run(const std::stop_token& stop) {
  std::list<Watched> watches;
  absl::Time look_at_all = absl::Now();
  while (!stop.stop_requested()) {
    std::set<OperationId> woken;
    std::list<Watched> arrived;
    bool all = false;
    {
      const MutexLock lock(mutex_);
      changed_.WaitUntil(mutex_, look_at_all, [&]() TROVE_REQUIRES(mutex_) {
        return stop.stop_requested() || all_woken_ || !woken_.empty() || !arrived_.empty();
      });
      woken.swap(woken_);
      arrived.swap(arrived_);
      all = std::exchange(all_woken_, false);
    }
    if (all || absl::Now() >= look_at_all) {
      all = true;
      look_at_all = absl::Now() + kLookEvery;
    }
    std::size_t ended = watches.remove_if(
        [&](Watched& watched) { return (all || woken.contains(watched.id)) && !Advance(watched); });
    ended += arrived.remove_if([this](Watched& watched) { return !Advance(watched); });
    watches.splice(watches.end(), arrived);
    const MutexLock lock(mutex_);
    count_ -= ended;
  }
  {
    const MutexLock lock(mutex_);
    watches.splice(watches.end(), arrived_);
  }
  for (Watched& watched : watches) {
    watched.stream.Close(absl::UnavailableError("the service is stopping: watch again"));
  }
}

bool OperationWatcher::Advance(Watched& watched) {
  if (const absl::Status over = watched.call.Check(); !over.ok()) {
    watched.stream.Close(over);
    return false;
  }
  const absl::StatusOr<Operation> operation =
      store_.GetOperation(watched.call, watched.project, watched.id);
  if (!operation.ok()) {
    if (absl::IsUnavailable(operation.status())) return true;  // the store is back soon
    watched.stream.Close(operation.status());
    return false;
  }
  if (operation->version == watched.sent_version) return true;
  v1::Operation message;
  FillOperation(*operation, &message);
  const absl::Status written = watched.stream.TryWrite(std::move(message));
  // A slow reader misses states in between and gets the newest once it has caught up.
  if (absl::IsResourceExhausted(written)) return true;
  if (!written.ok()) return false;
  watched.sent_version = operation->version;
  if (!IsEnded(operation->state)) return true;
  watched.stream.Close(absl::OkStatus());
  return false;
}

}  // namespace trove::api
