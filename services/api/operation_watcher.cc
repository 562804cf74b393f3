#include "services/api/operation_watcher.h"

#include <utility>

#include "libtrove/model/errors.h"
#include "services/api/instance_view.h"

namespace trove::api {
namespace {

// How soon a change is seen. Reading one row by its key costs some 20 µs.
constexpr absl::Duration kInterval = absl::Milliseconds(50);

}  // namespace

OperationWatcher::OperationWatcher(Store& store)
    : store_(store), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

OperationWatcher::~OperationWatcher() {
  thread_.request_stop();
  changed_.NotifyAll();
}

void OperationWatcher::Watch(const Call& call,
                             const std::optional<ProjectId>& project,
                             const OperationId& id,
                             rpc::Stream<v1::Operation> stream) {
  {
    const MutexLock lock(mutex_);
    if (count_ < kMostWatches) {
      ++count_;
      arrived_.push_back({call, project, id, std::move(stream), -1});
      changed_.NotifyAll();
      return;
    }
  }
  stream.Close(MakeError(Reason::kOverloaded,
                         "too many watches: ask for the operation now and then instead",
                         {.retry_after = absl::Seconds(5)}));
}

void OperationWatcher::Run(const std::stop_token& stop) {
  std::list<Watched> watches;
  while (!stop.stop_requested()) {
    {
      const MutexLock lock(mutex_);
      const absl::Duration wait = watches.empty() ? absl::Seconds(1) : kInterval;
      changed_.WaitUntil(
          mutex_, absl::Now() + wait, [&] { return stop.stop_requested() || !arrived_.empty(); });
      watches.splice(watches.end(), arrived_);
    }
    const std::size_t before = watches.size();
    watches.remove_if([this](Watched& watched) { return !Advance(watched); });
    const MutexLock lock(mutex_);
    count_ -= before - watches.size();
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
