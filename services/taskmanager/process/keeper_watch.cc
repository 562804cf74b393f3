#include "services/taskmanager/process/keeper_watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "libtrove/base/status.h"

namespace trove::taskmanager {
namespace {

constexpr int kEventsAtOnce = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<KeeperWatch>> KeeperWatch::Start() {
  UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  if (!poll) return ErrnoStatus(errno, "make a descriptor to wait for keepers");
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return ErrnoStatus(errno, "make a descriptor to wait for keepers");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0)
    return ErrnoStatus(errno, "wait for keepers");
  return std::unique_ptr<KeeperWatch>(new KeeperWatch(std::move(poll), std::move(wake)));
}

KeeperWatch::KeeperWatch(UniqueFd poll, UniqueFd wake)
    : poll_(std::move(poll)),
      wake_(std::move(wake)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

KeeperWatch::~KeeperWatch() {
  thread_.request_stop();
  const std::uint64_t one = 1;
  // The counter is far from full, so that this cannot fail.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void KeeperWatch::SetHeard(Heard heard) {
  const MutexLock lock(mutex_);
  heard_ = heard ? std::make_shared<const Heard>(std::move(heard)) : nullptr;
}

absl::Status KeeperWatch::Watch(const GuestId& guest, pid_t keeper) {
  const MutexLock lock(mutex_);
  if (const auto known = key_of_.find(guest); known != key_of_.end()) {
    if (watched_.at(known->second).pid == keeper) return absl::OkStatus();
    watched_.erase(known->second);  // closing it takes it off the poll
    key_of_.erase(known);
  }
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, keeper, 0)));
  if (!process) return ErrnoStatus(errno, "watch process " + std::to_string(keeper));
  const std::uint64_t key = next_key_++;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, process.get(), &event) != 0)
    return ErrnoStatus(errno, "watch process " + std::to_string(keeper));
  watched_.emplace(key, Watched{guest, keeper, std::move(process)});
  key_of_[guest] = key;
  return absl::OkStatus();
}

std::size_t KeeperWatch::watched() const {
  const MutexLock lock(mutex_);
  return watched_.size();
}

void KeeperWatch::Ended(std::uint64_t key) {
  std::shared_ptr<const Heard> heard;
  Watched ended;
  {
    const MutexLock lock(mutex_);
    const auto found = watched_.find(key);
    if (found == watched_.end()) return;  // replaced meanwhile
    ended = std::move(found->second);
    watched_.erase(found);
    key_of_.erase(ended.guest);
    heard = heard_;
  }
  if (heard != nullptr) (*heard)(ended.guest);
}

void KeeperWatch::Run(const std::stop_token& stop) {
  std::array<epoll_event, kEventsAtOnce> events;
  while (!stop.stop_requested()) {
    const int count = ::epoll_wait(poll_.get(), events.data(), kEventsAtOnce, -1);
    for (int i = 0; i < count; ++i)
      if (events[i].data.u64 != 0) Ended(events[i].data.u64);
  }
}

}  // namespace trove::taskmanager
