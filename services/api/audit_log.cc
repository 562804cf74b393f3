#include "services/api/audit_log.h"

#include <algorithm>
#include <utility>

namespace trove::api {
namespace {

constexpr absl::Duration kWriteTime = absl::Seconds(5);
constexpr absl::Duration kLastWrites = absl::Seconds(1);

}  // namespace

AuditLog::AuditLog(Store& store, Log log, Options options)
    : store_(store),
      log_(std::move(log)),
      options_(options),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

AuditLog::~AuditLog() {
  thread_.request_stop();
  {
    const MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  thread_.join();
}

void AuditLog::Record(AuditEntry entry) {
  const bool stranger = entry.user.empty();
  std::string key = stranger ? "\n" + entry.peer
                             : entry.project_id.value() + "\n" + entry.user + "\n" + entry.action +
                                   "\n" + entry.outcome;
  const MutexLock lock(mutex_);
  if (kinds_.empty()) window_end_ = absl::Now() + options_.window;
  if (!kinds_.contains(key)) {
    if (stranger && strangers_ >= options_.most_strangers) key = "\n";
    if (!stranger && kinds_.size() >= options_.most_kinds) key.clear();
  }
  const auto [found, is_new] = kinds_.try_emplace(key);
  if (is_new && stranger) ++strangers_;
  Kind& kind = found->second;
  const std::size_t one_by_one = stranger ? options_.of_a_stranger : options_.of_a_user;
  if (++kind.seen <= one_by_one) {
    Enqueue(std::move(entry));
  } else {
    ++kind.held_back;
    kind.last = std::move(entry);
  }
  changed_.NotifyAll();
}

void AuditLog::Enqueue(AuditEntry entry) {
  if (queue_.size() < options_.capacity) {
    queue_.push_back(std::move(entry));
  } else {
    ++lost_;
  }
}

void AuditLog::EndWindow() {
  for (auto& [key, kind] : kinds_) {
    if (kind.held_back == 0) continue;
    AuditEntry& entry = kind.last;
    // Under the keys where everybody meets, the last one stands for none of the others.
    if (key.empty() || key == "\n") {
      entry.project_id = ProjectId();
      entry.user.clear();
      entry.roles.clear();
      entry.peer.clear();
      entry.resource.clear();
      entry.request_id.clear();
    }
    entry.message = std::to_string(kind.held_back) + " more like this, the last: " + entry.message;
    Enqueue(std::move(entry));
  }
  kinds_.clear();
  strangers_ = 0;
  window_end_ = absl::InfiniteFuture();
}

void AuditLog::Run(const std::stop_token& stop) {
  absl::Time give_up = absl::InfiniteFuture();
  while (true) {
    AuditEntry entry;
    std::size_t lost = 0;
    {
      const MutexLock lock(mutex_);
      const absl::Time until = std::min(window_end_, absl::Now() + absl::Hours(1));
      changed_.WaitUntil(mutex_, until, [&]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
        return stop.stop_requested() || !queue_.empty() || window_end_ < until;
      });
      if (stop.stop_requested() || window_end_ <= absl::Now()) EndWindow();
      lost = std::exchange(lost_, 0);
      if (stop.stop_requested()) give_up = std::min(give_up, absl::Now() + kLastWrites);
      if (stop.stop_requested() && (queue_.empty() || absl::Now() > give_up)) return;
      if (queue_.empty()) continue;
      entry = std::move(queue_.front());
      queue_.pop_front();
    }
    if (lost > 0) log_.Warning("audit records were lost: too many", {{"lost", lost}});
    Write(entry);
  }
}

void AuditLog::Write(const AuditEntry& entry) {
  const absl::Status written = store_.RecordAudit(CallFor(kWriteTime), entry);
  if (written.ok()) return;
  log_.Warning("an audit record was not written",
               {{"error", written},
                {"action", entry.action},
                {"resource", entry.resource},
                {"project", entry.project_id.value()},
                {"user", entry.user},
                {"peer", entry.peer},
                {"outcome", entry.outcome}});
}

}  // namespace trove::api
