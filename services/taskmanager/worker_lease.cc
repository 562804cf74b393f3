#include "services/taskmanager/worker_lease.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/uuid.h"

namespace trove::taskmanager {
namespace {

// The name says on which machine to look, and no two terms share one.
WorkerId NewWorkerId(const std::string& name) {
  char host[64] = {};
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return WorkerId(name + "-" + host + "-" + RandomHex(6));
}

}  // namespace

WorkerLease::WorkerLease(Store& store, Options options)
    : store_(store), options_(std::move(options)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

WorkerLease::~WorkerLease() {
  Release();
}

std::shared_ptr<const WorkerTerm> WorkerLease::Current() const {
  const MutexLock lock(mutex_);
  return term_ && absl::Now() < term_->until ? term_->seen : nullptr;
}

absl::Time WorkerLease::until() const {
  const MutexLock lock(mutex_);
  return term_ ? term_->until : absl::InfinitePast();
}

void WorkerLease::Abandon(const WorkerTerm& term) {
  {
    const MutexLock lock(mutex_);
    if (!term_ || term_->seen->id != term.id) return;
  }
  EndCurrent("the store says that the lease has ended");
}

void WorkerLease::Release() {
  {
    const MutexLock lock(mutex_);
    released_ = true;
  }
  thread_.request_stop();
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  std::optional<Term> last;
  {
    const MutexLock lock(mutex_);
    last = std::exchange(term_, std::nullopt);
  }
  if (!last) return;
  last->stop.request_stop();
  const absl::Status released =
      store_.ReleaseWorker(CallFor(absl::Seconds(2)), WorkerId(last->seen->id));
  if (!released.ok())
    log_.Warning("could not release the worker: its lease ends by itself", {{"error", released}});
}

void WorkerLease::Run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.NotifyAll();
  });
  while (!stop.stop_requested()) {
    RenewOnce(stop);
    const absl::Time next = absl::Now() + options_.renew_every;
    const MutexLock lock(mutex_);
    // An abandoned term is replaced at once.
    changed_.WaitUntil(mutex_, next, [&]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
      return stop.stop_requested() || !term_;
    });
    if (!term_)
      changed_.WaitUntil(
          mutex_, absl::Now() + absl::Milliseconds(50), [&] { return stop.stop_requested(); });
  }
}

void WorkerLease::RenewOnce(const std::stop_token& stop) {
  std::optional<WorkerId> id;
  absl::Time until;
  {
    const MutexLock lock(mutex_);
    if (term_) {
      id = term_->seen->id;
      until = term_->until;
    }
  }
  const bool fresh = !id;
  const absl::Time began = absl::Now();
  // A renewal that comes after the end is none: the deadline sees to it that we notice in time.
  if (fresh) {
    id = NewWorkerId(options_.name);
    until = began + options_.lease;
  }
  const absl::Status renewed =
      until <= began ? absl::AbortedError("not renewed in time")
                     : store_.RenewWorker({until, stop, "worker lease"}, *id, options_.lease);
  if (stop.stop_requested()) return;
  if (!renewed.ok()) {
    if (fresh) {
      log_.Warning("cannot register as a worker", {{"error", renewed}});
    } else if (absl::IsAborted(renewed) || absl::Now() >= until) {
      EndCurrent(MessageOf(renewed));
    } else {
      log_.Warning("cannot renew the worker's lease", {{"error", renewed}});
    }
    return;
  }
  {
    const MutexLock lock(mutex_);
    if (fresh) {
      Term term;
      term.seen = std::make_shared<const WorkerTerm>(WorkerTerm{*id, term.stop.get_token()});
      term_ = std::move(term);
    } else if (!term_) {
      return;  // abandoned meanwhile
    }
    // The store counts from when it did it, which is later than `began`.
    term_->until = began + options_.lease;
  }
  if (fresh) log_.Info("registered as a worker", {{"worker", id->value()}});
}

void WorkerLease::EndCurrent(std::string_view why) {
  std::optional<Term> ended;
  {
    const MutexLock lock(mutex_);
    ended = std::exchange(term_, std::nullopt);
    changed_.NotifyAll();
  }
  if (!ended) return;
  log_.Warning("lost the worker's lease: what it did is dropped",
               {{"worker", ended->seen->id.value()}, {"why", why}});
  ended->stop.request_stop();
}

}  // namespace trove::taskmanager
