#include "libtrove/base/executor.h"

#include <algorithm>
#include <utility>

#include <pthread.h>

namespace trove {

Executor::Executor(std::string name, int threads, std::size_t capacity) : capacity_(capacity) {
  name.resize(std::min<std::size_t>(name.size(), 15));
  threads_.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

Executor::~Executor() {
  Drain();
}

absl::Status Executor::Submit(Task task) {
  {
    const MutexLock lock(mutex_);
    if (draining_) return absl::UnavailableError("the process is stopping");
    if (queue_.size() >= capacity_) return absl::ResourceExhaustedError("too much work is queued");
    queue_.push_back(std::move(task));
  }
  changed_.NotifyOne();
  return absl::OkStatus();
}

void Executor::Drain() {
  {
    const MutexLock lock(mutex_);
    draining_ = true;
  }
  changed_.NotifyAll();
  for (std::jthread& thread : threads_) {
    if (thread.joinable()) thread.join();
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
      // Bounded only so that a lost wake-up could never hang it; the loop waits again.
      changed_.WaitUntil(
          mutex_, absl::Now() + absl::Minutes(1), [this] { return draining_ || !queue_.empty(); });
      if (queue_.empty()) {
        if (draining_) return;
        continue;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace trove
