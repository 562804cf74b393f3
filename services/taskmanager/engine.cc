#include "services/taskmanager/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "libtrove/base/status.h"

namespace trove::taskmanager {
namespace {

// Between two looks at the store that nobody asked for, however soon something is due: a store that
// says "due now" and gives nothing must not keep a processor busy.
constexpr absl::Duration kShortestWait = absl::Milliseconds(5);

}  // namespace

Engine::Engine(Store& store,
               const Clock& clock,
               const Workflows& workflows,
               WorkerLease& lease,
               Options options)
    : store_(store),
      clock_(clock),
      workflows_(workflows),
      lease_(lease),
      options_(options),
      executor_("steps",
                options.threads,
                // Runs of an earlier term that have not noticed its end yet come on top.
                static_cast<std::size_t>(options.threads + options.queue) * 16),
      scanner_([this](const std::stop_token& stop) { Scan(stop); }) {}

Engine::~Engine() {
  Drain(absl::ZeroDuration());
}

void Engine::Wake() {
  const MutexLock lock(mutex_);
  look_now_ = true;
  changed_.NotifyAll();
}

std::int64_t Engine::held() const {
  const MutexLock lock(mutex_);
  return static_cast<std::int64_t>(running_.size());
}

std::int64_t Engine::finished() const {
  const MutexLock lock(mutex_);
  return finished_;
}

int Engine::FreeSlots() const {
  return options_.threads + options_.queue - static_cast<int>(running_.size());
}

void Engine::Drain(absl::Duration grace) {
  draining_.request_stop();
  scanner_.request_stop();
  {
    const MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  if (scanner_.joinable()) scanner_.join();
  {
    const MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_, absl::Now() + grace, [this]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
      return running_.empty();
    });
  }
  // Sets the stop token of whatever still runs.
  lease_.Release();
  executor_.Drain();
}

void Engine::Scan(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const absl::Time next = ScanOnce(stop);
    const MutexLock lock(mutex_);
    changed_.WaitUntil(mutex_, next, [&]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
      return stop.stop_requested() || (look_now_ && FreeSlots() > 0);
    });
  }
}

absl::Time Engine::ScanOnce(const std::stop_token& stop) {
  const absl::Time latest = absl::Now() + options_.scan_every;
  int free = 0;
  {
    const MutexLock lock(mutex_);
    free = FreeSlots();
    // While all slots are taken a hint is kept for the one that becomes free.
    if (free <= 0) return latest;
    look_now_ = false;
  }
  const std::shared_ptr<const WorkerTerm> term = lease_.Current();
  if (term == nullptr) return absl::Now() + std::min(options_.scan_every, absl::Milliseconds(50));
  auto claims = store_.ClaimDue(CallFor(absl::Seconds(2), stop, "claim"), term->id, free);
  if (!claims.ok()) {
    if (absl::IsAborted(claims.status())) {
      lease_.Abandon(*term);
    } else if (!stop.stop_requested()) {
      log_.Warning("cannot claim operations", {{"error", claims.status()}});
    }
    return latest;
  }
  const auto count = static_cast<int>(claims->operations.size());
  for (ClaimedOperation& claimed : claims->operations)
    Dispatch(term, std::move(claimed));
  if (count >= free) {
    const MutexLock lock(mutex_);
    look_now_ = true;  // there may be more
    return latest;
  }
  if (count > 0) return absl::Now();
  // `next_due` is on the store's clock.
  const absl::Duration wait = claims->next_due - clock_.Now();
  return std::min(latest, absl::Now() + std::max(wait, kShortestWait));
}

void Engine::Dispatch(const std::shared_ptr<const WorkerTerm>& term, ClaimedOperation claimed) {
  RunKey key(term->id, claimed.operation.id);
  {
    const MutexLock lock(mutex_);
    if (!running_.insert(key).second) {
      again_.insert_or_assign(std::move(key), std::move(claimed));
      return;
    }
  }
  // Copyable, as a task must be.
  auto shared = std::make_shared<ClaimedOperation>(std::move(claimed));
  const absl::Status queued =
      executor_.Submit([this, term, shared] { RunClaimed(term, std::move(*shared)); });
  if (queued.ok()) return;
  // Nobody else may claim it as long as this term lives, so end the term: rare enough.
  log_.Error("no room for a claimed operation", {{"error", queued}});
  lease_.Abandon(*term);
  const MutexLock lock(mutex_);
  running_.erase(key);
}

void Engine::RunClaimed(const std::shared_ptr<const WorkerTerm>& term, ClaimedOperation claimed) {
  const RunKey key(term->id, claimed.operation.id);
  std::optional<ClaimedOperation> next = std::move(claimed);
  // What has not begun when the drain does is given back with the lease.
  while (next && !draining_.stop_requested()) {
    OperationRun run(store_,
                     clock_,
                     workflows_,
                     term,
                     draining_.get_token(),
                     *std::exchange(next, std::nullopt));
    const OperationRun::Result result = run.Run();
    const MutexLock lock(mutex_);
    if (result == OperationRun::Result::kEnded) ++finished_;
    if (const auto again = again_.find(key); again != again_.end()) {
      next = std::move(again->second);
      again_.erase(again);
      continue;
    }
    running_.erase(key);
    // What it waits for may have come while it was still being held, and the hint with it.
    look_now_ = true;
    changed_.NotifyAll();
    return;
  }
  const MutexLock lock(mutex_);
  running_.erase(key);
  changed_.NotifyAll();
}

}  // namespace trove::taskmanager
