#include "test/support/memory_bus.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/mutex.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/bus/checks.h"
#include "libtrove/bus/mailbox.h"
#include "libtrove/bus/pending_reply.h"

namespace trove {
namespace {

// NATS's rule: words between dots; `*` is one word, `>` at the end one or more.
bool Matches(std::string_view pattern, std::string_view subject) {
  while (true) {
    const std::size_t pattern_dot = pattern.find('.');
    const std::size_t subject_dot = subject.find('.');
    const std::string_view want = pattern.substr(0, pattern_dot);
    if (want == ">") return !subject.empty();
    if (want != "*" && want != subject.substr(0, subject_dot)) return false;
    const bool pattern_ends = pattern_dot == std::string_view::npos;
    const bool subject_ends = subject_dot == std::string_view::npos;
    if (pattern_ends || subject_ends) return pattern_ends && subject_ends;
    pattern.remove_prefix(pattern_dot + 1);
    subject.remove_prefix(subject_dot + 1);
  }
}

absl::Status NotConnected() {
  return absl::UnavailableError("the bus is not connected: it was cut");
}

}  // namespace

// One side of the bus. All of it is guarded by the hub's mutex.
struct MemoryBus::Connection {
  BusState state;
  std::set<std::shared_ptr<PendingReply>> waiting;
};

// What all sides share: who listens where, and the stream.
class MemoryBus::Hub : public std::enable_shared_from_this<Hub> {
 public:
  struct Listener {
    std::shared_ptr<Connection> connection;
    std::string pattern;  // empty: hears of connections, not of messages
    std::string group;
    std::shared_ptr<Mailbox> mailbox;
  };

  std::shared_ptr<Connection> Connect() {
    auto connection = std::make_shared<Connection>();
    connection->state = {.connected = true, .since = absl::Now(), .connections = 1};
    return connection;
  }

  void Cut(Connection& connection) {
    std::set<std::shared_ptr<PendingReply>> lost;
    {
      const MutexLock lock(mutex_);
      if (!connection.state.connected) return;
      connection.state.connected = false;
      connection.state.since = absl::Now();
      connection.state.last_error = NotConnected();
      lost.swap(connection.waiting);
    }
    for (const std::shared_ptr<PendingReply>& pending : lost) {
      pending->Complete(absl::UnavailableError("the connection was lost"));
    }
  }

  void Mend(const std::shared_ptr<Connection>& connection) {
    std::vector<std::shared_ptr<Mailbox>> told;
    {
      const MutexLock lock(mutex_);
      if (connection->state.connected) return;
      connection->state.connected = true;
      connection->state.since = absl::Now();
      ++connection->state.connections;
      for (const auto& [id, listener] : listeners_) {
        if (listener.pattern.empty() && listener.connection == connection) {
          told.push_back(listener.mailbox);
        }
      }
    }
    changed_.NotifyAll();
    for (const std::shared_ptr<Mailbox>& mailbox : told) {
      mailbox->Deliver({Subject::Received({}), {}, nullptr});
    }
  }

  // How a receiver answers; null when nobody waits for an answer.
  using MakeReply = std::function<BusReply(std::shared_ptr<Connection> receiver)>;

  // False: nobody listens.
  absl::StatusOr<bool> Send(const Connection& from,
                            const Subject& subject,
                            std::string_view payload,
                            const MakeReply& make_reply) {
    std::vector<Listener> receivers;
    {
      const MutexLock lock(mutex_);
      if (!from.state.connected) return NotConnected();
      std::map<std::string, std::vector<Listener>> groups;
      for (const auto& [id, listener] : listeners_) {
        if (!listener.connection->state.connected) continue;
        if (listener.pattern.empty() || !Matches(listener.pattern, subject.value())) continue;
        (listener.group.empty() ? receivers : groups[listener.group]).push_back(listener);
      }
      for (const auto& [group, members] : groups)
        receivers.push_back(members[turn_++ % members.size()]);
    }
    for (const Listener& listener : receivers) {
      listener.mailbox->Deliver(
          {subject, std::string(payload), make_reply ? make_reply(listener.connection) : nullptr});
    }
    return !receivers.empty();
  }

  absl::Status StartWaiting(Connection& connection, std::shared_ptr<PendingReply> pending) {
    const MutexLock lock(mutex_);
    if (!connection.state.connected) return NotConnected();
    connection.waiting.insert(std::move(pending));
    return absl::OkStatus();
  }

  void StopWaiting(Connection& connection, const std::shared_ptr<PendingReply>& pending) {
    const MutexLock lock(mutex_);
    connection.waiting.erase(pending);
  }

  // An answer reaches the asker when both are connected.
  absl::Status Answer(const Connection& from,
                      Connection& to,
                      const std::shared_ptr<PendingReply>& pending,
                      std::string_view payload) {
    {
      const MutexLock lock(mutex_);
      if (!from.state.connected) return NotConnected();
      if (to.waiting.erase(pending) == 0) return absl::OkStatus();
    }
    pending->Complete(std::string(payload));
    return absl::OkStatus();
  }

  int Add(Listener listener) {
    const MutexLock lock(mutex_);
    listeners_.emplace(++last_id_, std::move(listener));
    return last_id_;
  }

  void Remove(int id) {
    const MutexLock lock(mutex_);
    listeners_.erase(id);
  }

  BusState StateOf(const Connection& connection) const {
    const MutexLock lock(mutex_);
    return connection.state;
  }

  bool WaitUntilConnected(const Connection& connection, absl::Time deadline) {
    const MutexLock lock(mutex_);
    return changed_.WaitUntil(mutex_, deadline, [&] { return connection.state.connected; });
  }

  absl::Status MakeStream(const Connection& from) {
    const MutexLock lock(mutex_);
    if (!from.state.connected) return NotConnected();
    has_stream_ = true;
    return absl::OkStatus();
  }

  absl::Status Store(const Connection& from, StoredEvent event) {
    const MutexLock lock(mutex_);
    if (!from.state.connected) return NotConnected();
    if (!has_stream_) return absl::UnavailableError("no stream takes it");
    if (event_ids_.insert(event.msg_id).second) events_.push_back(std::move(event));
    return absl::OkStatus();
  }

  std::vector<StoredEvent> events() const {
    const MutexLock lock(mutex_);
    return events_;
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<int, Listener> listeners_ TROVE_GUARDED_BY(mutex_);
  int last_id_ TROVE_GUARDED_BY(mutex_) = 0;
  std::size_t turn_ TROVE_GUARDED_BY(mutex_) = 0;
  bool has_stream_ TROVE_GUARDED_BY(mutex_) = false;
  std::vector<StoredEvent> events_ TROVE_GUARDED_BY(mutex_);
  std::set<EventId> event_ids_ TROVE_GUARDED_BY(mutex_);
};

class MemoryBus::HubSubscription final : public Subscription {
 public:
  HubSubscription(std::shared_ptr<Hub> hub, Hub::Listener listener)
      : hub_(std::move(hub)), mailbox_(listener.mailbox), id_(hub_->Add(std::move(listener))) {}
  ~HubSubscription() override {
    hub_->Remove(id_);
    mailbox_->Close();
  }

  std::uint64_t dropped() const override { return mailbox_->dropped(); }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<Hub> hub_;
  const std::shared_ptr<Mailbox> mailbox_;
  const int id_;
};

MemoryBus::MemoryBus() : MemoryBus(std::make_shared<Hub>()) {}

MemoryBus::MemoryBus(std::shared_ptr<Hub> hub)
    : hub_(std::move(hub)), connection_(hub_->Connect()) {}

MemoryBus::~MemoryBus() {
  Cut();
}

std::unique_ptr<MemoryBus> MemoryBus::Peer() const {
  return std::unique_ptr<MemoryBus>(new MemoryBus(hub_));
}

void MemoryBus::Cut() {
  hub_->Cut(*connection_);
}

void MemoryBus::Mend() {
  hub_->Mend(connection_);
}

std::vector<StoredEvent> MemoryBus::events() const {
  return hub_->events();
}

absl::Status MemoryBus::Publish(const Call& call,
                                const Subject& subject,
                                std::string_view payload) {
  TROVE_RETURN_IF_ERROR(CheckMessage(subject, payload));
  TROVE_RETURN_IF_ERROR(call.Check());
  return hub_->Send(*connection_, subject, payload, nullptr).status();
}

absl::StatusOr<std::shared_ptr<PendingReply>> MemoryBus::BeginAsking(const Call& call,
                                                                     const Subject& subject,
                                                                     std::string_view payload) {
  TROVE_RETURN_IF_ERROR(CheckMessage(subject, payload));
  TROVE_RETURN_IF_ERROR(call.Check());
  auto pending = std::make_shared<PendingReply>();
  TROVE_RETURN_IF_ERROR(hub_->StartWaiting(*connection_, pending));
  // Whoever answers does so over the bus: it needs the hub, not this object.
  const auto make_reply = [&](std::shared_ptr<Connection> receiver) -> BusReply {
    return [hub = hub_,
            from = std::move(receiver),
            to = connection_,
            pending,
            subject,
            answered = std::make_shared<std::atomic<bool>>(false)](
               std::string_view answer) -> absl::Status {
      TROVE_RETURN_IF_ERROR(CheckMessage(subject, answer));
      if (answered->exchange(true)) return absl::FailedPreconditionError("answered before");
      return hub->Answer(*from, *to, pending, answer);
    };
  };
  const absl::StatusOr<bool> heard = hub_->Send(*connection_, subject, payload, make_reply);
  if (!heard.ok()) {
    pending->Complete(heard.status());
  } else if (!*heard) {
    pending->Complete(absl::UnavailableError("nobody listens on " + subject.value()));
  }
  return pending;
}

absl::StatusOr<std::string> MemoryBus::Request(const Call& call,
                                               const Subject& subject,
                                               std::string_view payload) {
  TROVE_ASSIGN_OR_RETURN(const auto pending, BeginAsking(call, subject, payload));
  absl::StatusOr<std::string> answer = pending->Wait(call);
  hub_->StopWaiting(*connection_, pending);
  return answer;
}

absl::StatusOr<std::unique_ptr<Inquiry>> MemoryBus::Ask(const Call& call,
                                                        const Subject& subject,
                                                        std::string_view payload) {
  class HubInquiry final : public Inquiry {
   public:
    HubInquiry(std::shared_ptr<Hub> hub,
               std::shared_ptr<Connection> connection,
               std::shared_ptr<PendingReply> pending)
        : hub_(std::move(hub)), connection_(std::move(connection)), pending_(std::move(pending)) {}
    ~HubInquiry() override { hub_->StopWaiting(*connection_, pending_); }

    std::optional<absl::StatusOr<std::string>> Answer() const override { return pending_->Peek(); }

   private:
    const std::shared_ptr<Hub> hub_;
    const std::shared_ptr<Connection> connection_;
    const std::shared_ptr<PendingReply> pending_;
  };
  TROVE_ASSIGN_OR_RETURN(auto pending, BeginAsking(call, subject, payload));
  return std::make_unique<HubInquiry>(hub_, connection_, std::move(pending));
}

absl::StatusOr<std::unique_ptr<Subscription>> MemoryBus::Subscribe(const Call& call,
                                                                   const Subject& subject,
                                                                   const SubscribeOptions& options,
                                                                   BusHandler handler) {
  TROVE_RETURN_IF_ERROR(CheckSubscription(options, handler));
  TROVE_RETURN_IF_ERROR(call.Check());
  return std::make_unique<HubSubscription>(
      hub_,
      Hub::Listener{connection_,
                    subject.value(),
                    options.queue_group,
                    std::make_shared<Mailbox>(options, std::move(handler))});
}

absl::Status MemoryBus::EnsureEventStream(const Call& call) {
  TROVE_RETURN_IF_ERROR(call.Check());
  return hub_->MakeStream(*connection_);
}

absl::Status MemoryBus::PublishEvent(const Call& call,
                                     const Subject& subject,
                                     std::string_view payload,
                                     const EventId& msg_id) {
  TROVE_RETURN_IF_ERROR(CheckEvent(subject, payload, msg_id));
  TROVE_RETURN_IF_ERROR(call.Check());
  TROVE_RETURN_IF_ERROR(hub_->Store(*connection_, {subject, std::string(payload), msg_id}));
  return hub_->Send(*connection_, subject, payload, nullptr).status();
}

BusState MemoryBus::state() const {
  return hub_->StateOf(*connection_);
}

absl::Status MemoryBus::WaitUntilConnected(const Call& call) {
  while (true) {
    if (hub_->WaitUntilConnected(*connection_,
                                 std::min(call.deadline, absl::Now() + absl::Milliseconds(20)))) {
      return absl::OkStatus();
    }
    TROVE_RETURN_IF_ERROR(call.Check());
  }
}

std::unique_ptr<Subscription> MemoryBus::OnReconnect(std::function<void()> listener) {
  const SubscribeOptions options{.capacity_messages = 1};
  return std::make_unique<HubSubscription>(
      hub_,
      Hub::Listener{connection_,
                    {},
                    {},
                    std::make_shared<Mailbox>(
                        options, [heard = std::move(listener)](const BusMessage&) { heard(); })});
}

}  // namespace trove
