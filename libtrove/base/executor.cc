#include "libtrove/base/executor.h"

#include <exception>
#include <utility>

#include <pthread.h>

#include "libtrove/base/check.h"
#include "libtrove/base/log.h"

namespace trove {
namespace {

constexpr std::size_t kThreadNameLength = 15;  // the kernel's limit

// Bounds each wait, so that a wake-up that got lost costs a minute and not the process; whoever
// waits looks again.
absl::Time WaitLimit() {
  return absl::Now() + absl::Minutes(1);
}

}  // namespace

Executor::Executor(std::string name, int threads, std::size_t capacity) noexcept
    : name_(std::move(name)),
      capacity_(capacity),
      running_(static_cast<std::size_t>(threads)),
      idle_(running_) {
  TROVE_CHECK(threads > 0);
  threads_.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), name_.substr(0, kThreadNameLength).c_str());
  }
}

Executor::~Executor() {
  Drain();
}

absl::Status Executor::Submit(Task task) {
  {
    const MutexLock lock(mutex_);
    if (draining_) return absl::UnavailableError("the process is stopping");
    // A task for which a thread is idle does not wait, it only has not been fetched yet.
    if (queue_.size() >= capacity_ + idle_)
      return absl::ResourceExhaustedError("too much work is queued");
    queue_.push_back(std::move(task));
  }
  changed_.NotifyOne();
  return absl::OkStatus();
}

void Executor::Drain() {
  const MutexLock lock(mutex_);
  draining_ = true;
  changed_.NotifyAll();
  while (!changed_.WaitUntil(
      mutex_, WaitLimit(), [this]() TROVE_REQUIRES(mutex_) { return running_ == 0; })) {
  }
}

std::size_t Executor::queued() const {
  const MutexLock lock(mutex_);
  return queue_.size();
}

void Executor::Run() {
  while (true) {
    Task task;
    {
      const MutexLock lock(mutex_);
      changed_.WaitUntil(mutex_, WaitLimit(), [this]() TROVE_REQUIRES(mutex_) {
        return draining_ || !queue_.empty();
      });
      if (queue_.empty()) {
        if (!draining_) continue;
        --running_;
        changed_.NotifyAll();
        return;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
      --idle_;
    }
    RunTask(task);
    const MutexLock lock(mutex_);
    ++idle_;
  }
}

void Executor::RunTask(const Task& task) const {
  try {
    task();
  } catch (const std::exception& error) {
    Log().Error("a task threw", {{"executor", name_}, {"error", error.what()}});
  } catch (...) {
    Log().Error("a task threw", {{"executor", name_}});
  }
}

}  // namespace trove
