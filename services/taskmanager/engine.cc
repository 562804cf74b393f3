#include "services/taskmanager/engine.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "libtrove/base/backoff.h"
#include "libtrove/base/status.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kStoreTime = absl::Seconds(2);
constexpr absl::Duration kClaimTime = absl::Minutes(1);

// Between two looks at the store that nobody asked for, however soon something is due: a store that
// says "due now" and gives nothing must not keep a processor busy.
constexpr BackoffPolicy kShortestWait = {absl::Milliseconds(5), absl::Milliseconds(500)};

// Until the process has a lease again.
constexpr absl::Duration kLeaseWait = absl::Milliseconds(50);

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
      options_(std::move(options)),
      executor_("steps",
                options_.threads,
                // Runs of an earlier term that have not noticed its end yet come on top.
                static_cast<std::size_t>(options_.threads + options_.queue) * 16),
      scanner_([this](const std::stop_token& stop) { Scan(stop); }) {}

Engine::~Engine() {
  Drain(absl::ZeroDuration());
}

void Engine::Wake() {
  const MutexLock lock(mutex_);
  look_now_ = true;
  changed_.NotifyAll();
}

void Engine::Wake(const OperationId& operation) {
  const MutexLock lock(mutex_);
  look_now_ = true;
  const auto held =
      std::find_if(running_.begin(), running_.end(), [&](const auto& each) TROVE_REQUIRES(mutex_) {
        return each.first.second == operation;
      });
  if (held != running_.end()) hinted_.emplace(operation, absl::Now() + options_.look_after);
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
    // Nobody runs these.
    for (const auto& [key, at] : held_)
      running_.erase(key);
    held_.clear();
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
    const absl::Time scan = ScanOnce(stop);
    const absl::Time next = std::min({scan, LookAtHinted(stop), RunHeldAgain()});
    const MutexLock lock(mutex_);
    const std::size_t hinted = hinted_.size();
    changed_.WaitUntil(mutex_, next, [&]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
      return stop.stop_requested() || (look_now_ && FreeSlots() > 0) || hinted_.size() > hinted;
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
  if (term == nullptr) return std::min(latest, absl::Now() + kLeaseWait);
  // A claim that takes long may still be made. As long as the lease lives nobody else may have what
  // it gave, so it is waited for, and it cannot take longer than the lease lives.
  std::stop_source over;
  const std::stop_callback when_stopping(stop, [&over] { over.request_stop(); });
  const std::stop_callback when_lost(term->lost, [&over] { over.request_stop(); });
  auto claims = store_.ClaimDue(
      CallFor(kClaimTime, over.get_token(), "claim"),
      term->id,
      {.operations = free, .per_host = options_.operations_per_host, .host = options_.host});
  if (!claims.ok()) {
    const bool lost = term->lost.stop_requested();
    if (absl::IsAborted(claims.status()) || absl::IsDeadlineExceeded(claims.status()) || lost) {
      lease_.Abandon(*term);
      return std::min(latest, absl::Now() + kLeaseWait);
    }
    if (!stop.stop_requested())
      log_.Warning("cannot claim operations", {{"error", claims.status()}});
    return latest;
  }
  const auto count = static_cast<int>(claims->operations.size());
  for (ClaimedOperation& claimed : claims->operations)
    Dispatch(term, std::move(claimed));
  if (count > 0) idle_claims_ = 0;
  if (count >= free) {
    const MutexLock lock(mutex_);
    look_now_ = true;  // there may be more
    return latest;
  }
  // `next_due` is on the store's clock.
  const absl::Duration wait = claims->next_due - clock_.Now();
  if (count > 0 || wait > absl::ZeroDuration()) return std::min(latest, absl::Now() + wait);
  return std::min(latest, absl::Now() + BackoffDelay(kShortestWait, idle_claims_++));
}

absl::Time Engine::LookAtHinted(const std::stop_token& stop) {
  std::vector<std::pair<RunKey, std::shared_ptr<OperationRun>>> due;
  absl::Time next = absl::InfiniteFuture();
  {
    const MutexLock lock(mutex_);
    if (hinted_.empty()) return next;
    const absl::Time now = absl::Now();
    std::set<OperationId> held;
    for (const auto& [key, run] : running_) {
      const auto hint = hinted_.find(key.second);
      if (hint == hinted_.end()) continue;
      held.insert(key.second);
      if (hint->second <= now) due.emplace_back(key, run);
    }
    // One that is not held any more has said everything.
    std::erase_if(hinted_, [&](const auto& hint) {
      return hint.second <= now || !held.contains(hint.first);
    });
    for (const auto& [operation, at] : hinted_)
      next = std::min(next, at);
  }
  for (const auto& [key, run] : due) {
    const auto operation = store_.GetOperation(
        CallFor(kStoreTime, stop, "look at a held operation"), std::nullopt, key.second);
    if (!operation.ok()) continue;  // its next write says it too
    if (IsEnded(operation->state))
      run->Drop();  // a delete has taken its place
    else if (operation->cancel_requested)
      run->RequestCancel();
  }
  return next;
}

absl::Time Engine::RunHeldAgain() {
  std::vector<RunKey> due;
  absl::Time next = absl::InfiniteFuture();
  {
    const MutexLock lock(mutex_);
    const absl::Time now = absl::Now();
    for (auto each = held_.begin(); each != held_.end();) {
      if (each->second > now) {
        next = std::min(next, each->second);
        ++each;
        continue;
      }
      due.push_back(each->first);
      each = held_.erase(each);
    }
  }
  for (const RunKey& key : due)
    Submit(key);
  return next;
}

std::shared_ptr<OperationRun> Engine::NewRun(const std::shared_ptr<const WorkerTerm>& term,
                                             ClaimedOperation claimed) {
  return std::make_shared<OperationRun>(
      store_, clock_, workflows_, term, draining_.get_token(), std::move(claimed));
}

void Engine::Dispatch(const std::shared_ptr<const WorkerTerm>& term, ClaimedOperation claimed) {
  RunKey key(term->id, claimed.operation.id);
  auto run = NewRun(term, std::move(claimed));
  std::vector<std::shared_ptr<OperationRun>> replaced;
  {
    const MutexLock lock(mutex_);
    // Operations on one instance exclude each other: one that is still held here was lost.
    for (const auto& [other, held] : running_)
      if (held->instance_id() == run->instance_id() && other.second != key.second)
        replaced.push_back(held);
    if (!running_.emplace(key, run).second) {
      again_.insert_or_assign(key, std::move(run));
      run = nullptr;
    }
  }
  for (const auto& each : replaced)
    each->Drop();
  if (run != nullptr) Submit(key);
}

void Engine::Submit(const RunKey& key) {
  const absl::Status queued = executor_.Submit([this, key] { RunClaimed(key); });
  if (queued.ok()) return;
  // Nobody else may claim it as long as this term lives, so end the term: rare enough.
  log_.Error("no room for a claimed operation", {{"error", queued}});
  lease_.Abandon(WorkerTerm{key.first, {}});
  const MutexLock lock(mutex_);
  running_.erase(key);
  changed_.NotifyAll();
}

std::shared_ptr<OperationRun> Engine::FindRun(const RunKey& key) {
  const MutexLock lock(mutex_);
  const auto found = running_.find(key);
  return found == running_.end() ? nullptr : found->second;
}

void Engine::RunClaimed(const RunKey& key) {
  // What has not begun when the drain does is given back with the lease.
  while (const auto run = draining_.stop_requested() ? nullptr : FindRun(key)) {
    OperationRun::Result result = OperationRun::Result::kHeld;
    try {
      result = run->Run();
    } catch (const std::exception& error) {
      log_.Error("an operation could not be run",
                 {{"operation", key.second.value()}, {"error", error.what()}});
    }
    const MutexLock lock(mutex_);
    if (result == OperationRun::Result::kEnded) ++finished_;
    if (const auto again = again_.find(key); again != again_.end()) {
      running_[key] = std::move(again->second);
      again_.erase(again);
      continue;
    }
    if (result == OperationRun::Result::kHeld && !draining_.stop_requested()) {
      held_.insert_or_assign(key, absl::Now() + options_.retry_held);
      changed_.NotifyAll();
      return;
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
