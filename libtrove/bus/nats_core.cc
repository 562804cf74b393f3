#include "libtrove/bus/nats_core.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/bus/checks.h"

namespace trove {
namespace {

// nats.c 3.4.1 loses one signature in 256 (an empty base64 text when the first byte is zero), and
// the server then refuses the login. The next nonce makes another signature.
constexpr int kLoginAttempts = 4;

// A connection that lasted less than this does not count as success: the next waits longer.
constexpr absl::Duration kShortLife = absl::Seconds(1);

// How often a failure that goes on is logged again.
constexpr absl::Duration kLogAgainAfter = absl::Minutes(1);

constexpr absl::Duration kRestoreTimeout = absl::Seconds(5);

// A wait that the library cannot be woken from is cut into pieces of this length.
constexpr absl::Duration kSlice = absl::Milliseconds(100);

// The subject in: Permissions Violation for Publish to "subject".
std::string QuotedPart(const std::string& text) {
  const std::size_t open = text.find('"');
  const std::size_t close = open == std::string::npos ? open : text.find('"', open + 1);
  return close == std::string::npos ? std::string() : text.substr(open + 1, close - open - 1);
}

absl::Status NotConnected(const absl::Status& reason) {
  return absl::UnavailableError("the bus is not connected: " + MessageOf(reason));
}

}  // namespace

NatsBus::Core::Core(NatsBusOptions options, NatsLogin login)
    : options_(std::move(options)), login_(std::move(login)) {
  state_.since = absl::Now();
  state_.last_error = absl::UnavailableError("not connected yet");
}

void NatsBus::Core::ReplaceLogin(NatsLogin login) {
  const MutexLock lock(mutex_);
  login_ = std::move(login);
}

// --- The thread that connects.

void NatsBus::Core::Run(const std::stop_token& stop) {
  int failures = 0;
  absl::Time log_again = absl::InfinitePast();
  while (!stop.stop_requested()) {
    const absl::Status connected = ConnectOnce();
    const absl::Time began = absl::Now();
    absl::Status reason = connected;
    if (connected.ok()) {
      WaitWhile(
          stop, absl::InfiniteDuration(), [this]() TROVE_REQUIRES(mutex_) { return !link_ended_; });
      {
        const MutexLock lock(mutex_);
        reason = state_.last_error;
      }
    }
    Disconnect(stop.stop_requested() ? absl::UnavailableError("the bus has been closed") : reason);
    if (stop.stop_requested()) return;
    if (connected.ok()) {
      options_.log.Warning("bus lost", {{"error", reason}});
      log_again = absl::InfinitePast();
      if (absl::Now() - began >= kShortLife) failures = 0;
    } else if (absl::Now() >= log_again) {
      options_.log.Warning("bus cannot be reached", {{"error", reason}});
      log_again = absl::Now() + kLogAgainAfter;
    }
    WaitWhile(stop, BackoffDelay(options_.reconnect, failures++), [] { return true; });
  }
}

bool NatsBus::Core::WaitWhile(const std::stop_token& stop,
                              absl::Duration at_most,
                              const std::function<bool()>& condition) {
  const std::stop_callback on_stop(stop, [this] {
    const MutexLock lock(mutex_);  // so that it cannot fall between the check and the wait
    changed_.NotifyAll();
  });
  const absl::Time end = absl::Now() + at_most;
  const MutexLock lock(mutex_);
  while (!stop.stop_requested() && condition() && absl::Now() < end) {
    // Bounded only so that a lost wake-up could never hang it; the loop waits again.
    changed_.WaitUntil(mutex_, std::min(end, absl::Now() + absl::Minutes(1)), [&] {
      return stop.stop_requested() || !condition();
    });
  }
  return !condition();
}

absl::StatusOr<std::shared_ptr<NatsLink>> NatsBus::Core::OpenAny() {
  absl::Status failed;
  for (const std::string& url : options_.urls) {
    for (int attempt = 0; attempt < kLoginAttempts; ++attempt) {
      const auto [login, id] = [this] {
        const MutexLock lock(mutex_);
        link_ended_ = false;
        return std::pair(login_, ++link_id_);
      }();
      absl::StatusOr<std::shared_ptr<NatsLink>> link =
          NatsLink::Open(options_, url, login, id, weak_from_this());
      if (link.ok()) return link;
      failed = link.status();
      if (!absl::IsUnauthenticated(failed)) break;
    }
  }
  return failed;
}

absl::Status NatsBus::Core::ConnectOnce() {
  const absl::StatusOr<std::shared_ptr<NatsLink>> opened = OpenAny();
  const absl::Status connected = opened.ok() ? Restore(*opened) : opened.status();
  std::uint64_t connections = 0;
  {
    const MutexLock lock(mutex_);
    if (!connected.ok()) state_.last_error = connected;
    connections = state_.connections;
  }
  if (connected.ok()) options_.log.Info("bus connected", {{"connections", connections}});
  return connected;
}

absl::Status NatsBus::Core::Restore(const std::shared_ptr<NatsLink>& link) {
  const std::string inbox = options_.inbox_prefix + "." + RandomAlphanumeric(22) + ".";
  std::uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    id = link_id_;
    inbox_ = inbox;
    inbox_refusal_ = absl::OkStatus();
  }
  TROVE_ASSIGN_OR_RETURN(inbox_listening_,
                         link->Listen(inbox + "*", "", [weak = weak_from_this()](auto incoming) {
                           if (const auto core = weak.lock()) core->ReceiveReply(incoming);
                         }));
  while (true) {
    // Whoever subscribes meanwhile is found in the next round, or finds the link itself.
    std::shared_ptr<Entry> next;
    std::vector<std::shared_ptr<Mailbox>> listeners;
    {
      const MutexLock lock(mutex_);
      if (link_ended_) return NotConnected(state_.last_error);
      const auto missing = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
        return entry->on_link != id;
      });
      if (missing != entries_.end()) {
        next = *missing;
        next->on_link = id;
        next->refusal = absl::OkStatus();
      }
    }
    if (next != nullptr) {
      TROVE_RETURN_IF_ERROR(Attach(*link, id, next));
      continue;
    }
    TROVE_RETURN_IF_ERROR(link->Flush(kRestoreTimeout));
    {
      const MutexLock lock(mutex_);
      if (link_ended_) return NotConnected(state_.last_error);
      const bool complete = std::all_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
        return entry->on_link == id;
      });
      if (!complete) continue;
      link_ = link;
      state_.connected = true;
      state_.since = absl::Now();
      ++state_.connections;
      listeners = listeners_;
    }
    changed_.NotifyAll();
    for (const std::shared_ptr<Mailbox>& listener : listeners) {
      listener->Deliver({Subject::Received({}), {}, nullptr});
    }
    return absl::OkStatus();
  }
}

std::map<std::string, NatsBus::Core::Waiting> NatsBus::Core::MarkLost(const absl::Status& reason) {
  if (state_.connected) {
    state_.connected = false;
    state_.since = absl::Now();
  }
  state_.last_error = reason;
  return std::exchange(waiting_, {});
}

void NatsBus::Core::Disconnect(const absl::Status& reason) {
  std::shared_ptr<NatsLink> link;
  std::vector<std::unique_ptr<NatsListening>> listenings;
  std::map<std::string, Waiting> lost;
  {
    const MutexLock lock(mutex_);
    link.swap(link_);
    lost = MarkLost(reason);
    for (const std::shared_ptr<Entry>& entry : entries_)
      listenings.push_back(std::move(entry->listening));
  }
  for (const auto& [reply, waiting] : lost)
    waiting.pending->Complete(NotConnected(reason));
  if (link != nullptr) link->Close();  // a caller may still hold it
  inbox_listening_.reset();
}

// --- The library's threads.

void NatsBus::Core::OnClosed(std::uint64_t link, const absl::Status& reason) {
  std::map<std::string, Waiting> lost;
  {
    const MutexLock lock(mutex_);
    if (link != link_id_ || link_ended_) return;
    link_ended_ = true;
    // link_ stays for the thread that connects: a connection must not end on the library's thread.
    lost = MarkLost(reason);
  }
  changed_.NotifyAll();
  for (const auto& [reply, waiting] : lost) {
    waiting.pending->Complete(
        absl::UnavailableError("the connection was lost: " + MessageOf(reason)));
  }
}

void NatsBus::Core::OnError(std::uint64_t link, const absl::Status& error) {
  const std::string refused = absl::IsPermissionDenied(error) ? QuotedPart(MessageOf(error)) : "";
  std::vector<std::shared_ptr<PendingReply>> hopeless;
  {
    const MutexLock lock(mutex_);
    if (link != link_id_) return;
    state_.last_error = error;
    if (absl::IsPermissionDenied(error)) ++state_.refusals;
    if (MessageOf(error).find("Subscription") != std::string::npos) {
      if (refused == inbox_ + "*") inbox_refusal_ = error;
      for (const std::shared_ptr<Entry>& entry : entries_) {
        if (entry->subject == refused) entry->refusal = error;
      }
    } else if (!refused.empty()) {
      for (const auto& [reply, waiting] : waiting_) {
        if (waiting.subject == refused) hopeless.push_back(waiting.pending);
      }
    }
  }
  for (const std::shared_ptr<PendingReply>& pending : hopeless)
    pending->Complete(error);
  options_.log.Warning("bus complained", {{"error", error}});
}

void NatsBus::Core::ReceiveReply(const NatsIncoming& incoming) {
  Waiting waiting;
  {
    const MutexLock lock(mutex_);
    const auto found = waiting_.find(incoming.subject);
    if (found == waiting_.end()) return;  // the asker has gone
    waiting = std::move(found->second);
    waiting_.erase(found);
  }
  if (incoming.nobody_listens) {
    waiting.pending->Complete(absl::UnavailableError("nobody listens on " + waiting.subject));
  } else {
    waiting.pending->Complete(incoming.payload);
  }
}

void NatsBus::Core::Receive(const std::shared_ptr<Entry>& entry, NatsIncoming incoming) {
  BusReply reply;
  if (!incoming.reply.empty()) {
    reply = [weak = weak_from_this(),
             to = std::move(incoming.reply),
             answered = std::make_shared<std::atomic<bool>>(false)](
                std::string_view payload) -> absl::Status {
      TROVE_RETURN_IF_ERROR(CheckMessage(Subject::Received(to), payload));
      if (answered->exchange(true)) return absl::FailedPreconditionError("answered before");
      const std::shared_ptr<Core> core = weak.lock();
      if (core == nullptr) return absl::UnavailableError("the bus has been closed");
      return core->Send(to, payload);
    };
  }
  entry->mailbox.Deliver(
      {Subject::Received(std::move(incoming.subject)), std::move(incoming.payload), reply});
}

// --- Callers' threads.

absl::StatusOr<NatsBus::Core::Current> NatsBus::Core::UsableLink() const {
  if (!state_.connected) return NotConnected(state_.last_error);
  return Current{link_, link_id_, inbox_};
}

absl::Status NatsBus::Core::Send(const std::string& subject, std::string_view payload) {
  absl::StatusOr<Current> current;
  {
    const MutexLock lock(mutex_);
    current = UsableLink();
  }
  TROVE_RETURN_IF_ERROR(current.status());
  return current->link->Send(subject, "", payload, "");
}

absl::StatusOr<NatsBus::Core::Asked> NatsBus::Core::BeginAsking(const std::string& subject,
                                                                std::string_view payload,
                                                                const std::string& msg_id) {
  Asked asked;
  asked.pending = std::make_shared<PendingReply>();
  absl::StatusOr<Current> current;
  {
    // Under one lock, so that a connection that ends finds every request that was sent over it.
    const MutexLock lock(mutex_);
    current = UsableLink();
    TROVE_RETURN_IF_ERROR(current.status());
    TROVE_RETURN_IF_ERROR(inbox_refusal_);
    asked.reply = current->inbox + std::to_string(++last_request_);
    waiting_.emplace(asked.reply, Waiting{subject, asked.pending});
  }
  const absl::Status sent = current->link->Send(subject, asked.reply, payload, msg_id);
  if (sent.ok()) return asked;
  EndAsking(asked);
  return sent;
}

void NatsBus::Core::EndAsking(const Asked& asked) {
  const MutexLock lock(mutex_);
  waiting_.erase(asked.reply);
}

absl::StatusOr<std::string> NatsBus::Core::Ask(const Call& call,
                                               const std::string& subject,
                                               std::string_view payload,
                                               const std::string& msg_id) {
  TROVE_ASSIGN_OR_RETURN(const Asked asked, BeginAsking(subject, payload, msg_id));
  absl::StatusOr<std::string> answer = asked.pending->Wait(call);
  EndAsking(asked);
  return answer;
}

absl::Status NatsBus::Core::Attach(NatsLink& link,
                                   std::uint64_t id,
                                   const std::shared_ptr<Entry>& entry) {
  TROVE_ASSIGN_OR_RETURN(
      std::unique_ptr<NatsListening> listening,
      link.Listen(entry->subject,
                  entry->group,
                  [weak_core = weak_from_this(), weak = std::weak_ptr(entry)](auto incoming) {
                    const std::shared_ptr<Core> core = weak_core.lock();
                    const std::shared_ptr<Entry> receiver = weak.lock();
                    if (core != nullptr && receiver != nullptr) {
                      core->Receive(receiver, std::move(incoming));
                    }
                  }));
  {
    // Whichever of the two is not needed ends after the lock.
    const MutexLock lock(mutex_);
    if (!entry->ended && entry->on_link == id) entry->listening.swap(listening);
  }
  return absl::OkStatus();
}

absl::Status NatsBus::Core::Confirm(const Call& call, NatsLink& link) const {
  while (true) {
    TROVE_RETURN_IF_ERROR(call.Check());
    const absl::Status seen = link.Flush(std::min(kSlice, call.Remaining()));
    if (!absl::IsDeadlineExceeded(seen)) return seen;
  }
}

absl::StatusOr<std::shared_ptr<NatsBus::Core::Entry>> NatsBus::Core::Add(
    const Call& call, const Subject& subject, const SubscribeOptions& options, BusHandler handler) {
  auto entry = std::make_shared<Entry>(subject, options, std::move(handler));
  absl::StatusOr<Current> current;
  {
    const MutexLock lock(mutex_);
    current = UsableLink();
    if (current.ok()) entry->on_link = current->id;
    entries_.push_back(entry);
  }
  if (!current.ok()) return entry;
  absl::Status confirmed = Attach(*current->link, current->id, entry);
  if (confirmed.ok()) confirmed = Confirm(call, *current->link);
  // A connection that broke meanwhile is made again, with this subscription.
  if (confirmed.ok() || absl::IsUnavailable(confirmed)) return entry;
  Remove(entry);
  return confirmed;
}

void NatsBus::Core::Remove(const std::shared_ptr<Entry>& entry) {
  std::unique_ptr<NatsListening> listening;
  {
    const MutexLock lock(mutex_);
    entry->ended = true;
    std::erase(entries_, entry);
    listening.swap(entry->listening);
  }
  listening.reset();
  entry->mailbox.Close();
}

absl::Status NatsBus::Core::RefusalOf(const Entry& entry) const {
  const MutexLock lock(mutex_);
  return entry.refusal;
}

void NatsBus::Core::AddListener(const std::shared_ptr<Mailbox>& listener) {
  const MutexLock lock(mutex_);
  listeners_.push_back(listener);
}

void NatsBus::Core::RemoveListener(const std::shared_ptr<Mailbox>& listener) {
  {
    const MutexLock lock(mutex_);
    std::erase(listeners_, listener);
  }
  listener->Close();
}

BusState NatsBus::Core::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

absl::Status NatsBus::Core::WaitUntilConnected(const Call& call) {
  WaitWhile(
      call.stop, call.Remaining(), [this]() TROVE_REQUIRES(mutex_) { return !state_.connected; });
  const MutexLock lock(mutex_);
  if (state_.connected) return absl::OkStatus();
  return Annotate(call.Check(), "wait for the bus (" + MessageOf(state_.last_error) + ")");
}

}  // namespace trove
