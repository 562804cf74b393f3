#include "libtrove/bus/nats_link.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include <absl/time/clock.h>

#include "libtrove/base/mutex.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove {
namespace {

constexpr int kMostPingsUnanswered = 2;
constexpr absl::Duration kWriteTimeout = absl::Seconds(2);
constexpr absl::Duration kCloseTimeout = absl::Seconds(30);

// How many ended subscriptions may be kept before the server is asked for an answer.
constexpr std::size_t kMostRetired = 64;
constexpr absl::Duration kRetireTimeout = absl::Seconds(1);

// The library gets numbers where it wants a closure, because its callbacks can come after the
// connection or the subscription has ended: a number that was cancelled finds nothing, where an
// address would be one of freed memory.
template <typename T>
class Tickets {
 public:
  void* Issue(std::shared_ptr<T> value) {
    const MutexLock lock(mutex_);
    values_.emplace(++last_, std::move(value));
    return reinterpret_cast<void*>(last_);
  }
  std::shared_ptr<T> Find(void* ticket) const {
    const MutexLock lock(mutex_);
    const auto found = values_.find(reinterpret_cast<std::uintptr_t>(ticket));
    return found == values_.end() ? nullptr : found->second;
  }
  void Cancel(void* ticket) {
    std::shared_ptr<T> cancelled;  // dies after the lock
    const MutexLock lock(mutex_);
    const auto found = values_.find(reinterpret_cast<std::uintptr_t>(ticket));
    if (found == values_.end()) return;
    cancelled = std::move(found->second);
    values_.erase(found);
  }

 private:
  mutable Mutex mutex_;
  std::map<std::uintptr_t, std::shared_ptr<T>> values_ TROVE_GUARDED_BY(mutex_);
  std::uintptr_t last_ TROVE_GUARDED_BY(mutex_) = 0;
};

// Who stands behind the callbacks of a connection.
struct Owner {
  std::weak_ptr<NatsLinkObserver> observer;
  std::uint64_t link;
  NatsLogin login;
  std::shared_ptr<NatsLatch> closed;
};

// Never destroyed: the library's threads run until the process has ended.
Tickets<Owner>& Owners() {
  static auto& tickets = *new Tickets<Owner>;
  return tickets;
}
Tickets<NatsLink::OnIncoming>& Receivers() {
  static auto& tickets = *new Tickets<NatsLink::OnIncoming>;
  return tickets;
}

absl::StatusCode CodeOf(natsStatus status) {
  switch (status) {
    case NATS_OK:
      return absl::StatusCode::kOk;
    case NATS_TIMEOUT:
      return absl::StatusCode::kDeadlineExceeded;
    case NATS_CONNECTION_AUTH_FAILED:
      return absl::StatusCode::kUnauthenticated;
    case NATS_NOT_PERMITTED:
      return absl::StatusCode::kPermissionDenied;
    case NATS_MAX_PAYLOAD:
      return absl::StatusCode::kInvalidArgument;
    case NATS_ERR:
    case NATS_IO_ERROR:
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_NO_SERVER:
    case NATS_STALE_CONNECTION:
    case NATS_SSL_ERROR:
    case NATS_PROTOCOL_ERROR:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

// The outcome of a library call on this thread.
absl::Status NatsError(natsStatus status, std::string_view what) {
  if (status == NATS_OK) return absl::OkStatus();
  std::string message = std::string(what) + ": " + natsStatus_GetText(status);
  natsStatus last = NATS_OK;
  const char* detail = nats_GetLastError(&last);
  if (last == status && detail != nullptr && *detail != '\0') {
    message += ": ";
    message += detail;
  }
  return absl::Status(CodeOf(status), message);
}

// What the connection itself last complained of, as its callbacks may ask.
absl::Status LastErrorOf(natsConnection* connection, natsStatus status) {
  const char* text = nullptr;
  const natsStatus last = natsConnection_GetLastError(connection, &text);
  if (status == NATS_OK) status = last;
  if (status == NATS_OK) return absl::UnavailableError("the connection was closed");
  std::string message = natsStatus_GetText(status);
  if (last == status && text != nullptr && *text != '\0') message = text;
  return absl::Status(CodeOf(status), message);
}

void OnClosedCallback(natsConnection* connection, void* ticket) {
  const std::shared_ptr<Owner> owner = Owners().Find(ticket);
  if (owner == nullptr) return;
  Owners().Cancel(ticket);
  if (const auto observer = owner->observer.lock()) {
    observer->OnClosed(owner->link, LastErrorOf(connection, NATS_OK));
  }
  owner->closed->Set();
}

void OnErrorCallback(natsConnection* connection,
                     natsSubscription* /*subscription*/,
                     natsStatus error,
                     void* ticket) {
  const std::shared_ptr<Owner> owner = Owners().Find(ticket);
  if (owner == nullptr) return;
  if (const auto observer = owner->observer.lock()) {
    observer->OnError(owner->link, LastErrorOf(connection, error));
  }
}

void OnMessageCallback(natsConnection* /*connection*/,
                       natsSubscription* /*subscription*/,
                       natsMsg* raw,
                       void* ticket) {
  const NatsMessage message(raw);
  const std::shared_ptr<NatsLink::OnIncoming> receiver = Receivers().Find(ticket);
  if (receiver == nullptr) return;
  const char* reply = natsMsg_GetReply(message.get());
  (*receiver)({natsMsg_GetSubject(message.get()),
               reply == nullptr ? std::string() : std::string(reply),
               std::string(natsMsg_GetData(message.get()),
                           static_cast<std::size_t>(natsMsg_GetDataLength(message.get()))),
               natsMsg_IsNoResponders(message.get())});
}

// The library frees what it is given with free().
char* Copy(std::string_view bytes) {
  auto* copy = static_cast<char*>(std::malloc(bytes.size() + 1));
  if (copy == nullptr) return nullptr;
  std::memcpy(copy, bytes.data(), bytes.size());
  copy[bytes.size()] = '\0';
  return copy;
}

natsStatus JwtCallback(char** jwt, char** /*error*/, void* ticket) {
  const std::shared_ptr<Owner> owner = Owners().Find(ticket);
  if (owner == nullptr) return NATS_ILLEGAL_STATE;
  *jwt = Copy(owner->login.jwt);
  return *jwt == nullptr ? NATS_NO_MEMORY : NATS_OK;
}

natsStatus SignCallback(
    char** error, unsigned char** signature, int* length, const char* nonce, void* ticket) {
  const std::shared_ptr<Owner> owner = Owners().Find(ticket);
  if (owner == nullptr) return NATS_ILLEGAL_STATE;
  const absl::StatusOr<std::string> signed_nonce = owner->login.key.Sign(nonce);
  if (!signed_nonce.ok()) {
    *error = Copy(MessageOf(signed_nonce.status()));
    return NATS_ERR;
  }
  *signature = reinterpret_cast<unsigned char*>(Copy(*signed_nonce));
  *length = static_cast<int>(signed_nonce->size());
  return *signature == nullptr ? NATS_NO_MEMORY : NATS_OK;
}

// Calls library functions one after the other until one fails.
class Steps {
 public:
  void Do(natsStatus status) {
    if (status_ == NATS_OK) status_ = status;
  }
  bool ok() const { return status_ == NATS_OK; }
  natsStatus status() const { return status_; }

 private:
  natsStatus status_ = NATS_OK;
};

absl::StatusOr<NatsOptions> MakeOptions(const NatsBusOptions& options,
                                        const std::string& url,
                                        void* ticket) {
  natsOptions* raw = nullptr;
  TROVE_RETURN_IF_ERROR(NatsError(natsOptions_Create(&raw), "make options for NATS"));
  NatsOptions made(raw);
  Steps steps;
  steps.Do(natsOptions_SetURL(raw, url.c_str()));
  steps.Do(natsOptions_SetName(raw, options.name.c_str()));
  steps.Do(natsOptions_SetTimeout(raw, absl::ToInt64Milliseconds(options.connect_timeout)));
  // One connection is one link. The library's own reconnect gives up after two failed logins, so
  // ours replaces it and is the only one.
  steps.Do(natsOptions_SetAllowReconnect(raw, false));
  steps.Do(natsOptions_SetIgnoreDiscoveredServers(raw, true));
  steps.Do(natsOptions_SetSendAsap(raw, true));
  steps.Do(natsOptions_SetWriteDeadline(raw, absl::ToInt64Milliseconds(kWriteTimeout)));
  steps.Do(natsOptions_SetPingInterval(raw, absl::ToInt64Milliseconds(options.ping_interval)));
  steps.Do(natsOptions_SetMaxPingsOut(raw, kMostPingsUnanswered));
  // One thread of the library for all subscriptions: each only hands over to a queue of ours.
  steps.Do(natsOptions_UseGlobalMessageDelivery(raw, true));
  steps.Do(natsOptions_SetSecure(raw, true));
  steps.Do(natsOptions_LoadCATrustedCertificates(raw, options.authority_file.c_str()));
  steps.Do(natsOptions_SetExpectedHostname(raw, options.server_name.c_str()));
  steps.Do(natsOptions_SetUserCredentialsCallbacks(raw, JwtCallback, ticket, SignCallback, ticket));
  steps.Do(natsOptions_SetClosedCB(raw, OnClosedCallback, ticket));
  steps.Do(natsOptions_SetErrorHandler(raw, OnErrorCallback, ticket));
  TROVE_RETURN_IF_ERROR(NatsError(steps.status(), "make options for NATS"));
  return made;
}

}  // namespace

void NatsLatch::Set() {
  {
    const MutexLock lock(mutex_);
    set_ = true;
  }
  changed_.NotifyAll();
}

bool NatsLatch::Wait(absl::Duration at_most) {
  const MutexLock lock(mutex_);
  return changed_.WaitUntil(
      mutex_, absl::Now() + at_most, [this]() TROVE_REQUIRES(mutex_) { return set_; });
}

NatsListening::NatsListening(std::weak_ptr<NatsLink> link, std::uint64_t number, void* ticket)
    : link_(std::move(link)), number_(number), ticket_(ticket) {}

NatsListening::~NatsListening() {
  Receivers().Cancel(ticket_);
  if (const std::shared_ptr<NatsLink> link = link_.lock()) link->StopListening(number_);
}

NatsLink::NatsLink(NatsConnection connection, std::shared_ptr<NatsLatch> closed)
    : connection_(std::move(connection)), closed_(std::move(closed)) {}

NatsLink::~NatsLink() {
  Close();
  // Another thread may be the one that closes it; the reading thread has ended when it is told.
  if (closed_->Wait(kCloseTimeout)) return;
  // Cannot be, and then a little memory is the lesser loss.
  const MutexLock lock(mutex_);
  for (auto& [number, subscription] : listening_)
    static_cast<void>(subscription.release());
  for (NatsSubscription& subscription : retired_)
    static_cast<void>(subscription.release());
}

absl::StatusOr<std::shared_ptr<NatsLink>> NatsLink::Open(const NatsBusOptions& options,
                                                         const std::string& url,
                                                         const NatsLogin& login,
                                                         std::uint64_t link,
                                                         std::weak_ptr<NatsLinkObserver> observer) {
  const auto closed = std::make_shared<NatsLatch>();
  void* const ticket =
      Owners().Issue(std::make_shared<Owner>(Owner{std::move(observer), link, login, closed}));
  absl::StatusOr<NatsOptions> made = MakeOptions(options, url, ticket);
  absl::Status failed = made.status();
  if (made.ok()) {
    natsConnection* raw = nullptr;
    const natsStatus status = natsConnection_Connect(&raw, made->get());
    if (status == NATS_OK) {
      return std::shared_ptr<NatsLink>(new NatsLink(NatsConnection(raw), closed));
    }
    failed = NatsError(status, "connect to " + url);
  }
  Owners().Cancel(ticket);
  return failed;
}

absl::Status NatsLink::Send(const std::string& subject,
                            const std::string& reply,
                            std::string_view payload,
                            const std::string& msg_id) {
  natsMsg* raw = nullptr;
  Steps steps;
  steps.Do(natsMsg_Create(&raw,
                          subject.c_str(),
                          reply.empty() ? nullptr : reply.c_str(),
                          payload.data(),
                          static_cast<int>(payload.size())));
  const NatsMessage message(raw);
  if (steps.ok() && !msg_id.empty()) {
    steps.Do(natsMsgHeader_Set(raw, "Nats-Msg-Id", msg_id.c_str()));
  }
  if (steps.ok()) {
    steps.Do(natsConnection_PublishMsg(connection_.get(), raw));
    if (steps.status() == NATS_IO_ERROR || steps.status() == NATS_TIMEOUT ||
        steps.status() == NATS_SSL_ERROR) {
      Close();
      return absl::UnavailableError("send to " + subject + ": the connection broke");
    }
  }
  return NatsError(steps.status(), "send to " + subject);
}

absl::StatusOr<std::unique_ptr<NatsListening>> NatsLink::Listen(const std::string& subject,
                                                                const std::string& group,
                                                                OnIncoming on_incoming) {
  void* const ticket = Receivers().Issue(std::make_shared<OnIncoming>(std::move(on_incoming)));
  natsSubscription* raw = nullptr;
  const natsStatus status =
      group.empty()
          ? natsConnection_Subscribe(
                &raw, connection_.get(), subject.c_str(), OnMessageCallback, ticket)
          : natsConnection_QueueSubscribe(
                &raw, connection_.get(), subject.c_str(), group.c_str(), OnMessageCallback, ticket);
  NatsSubscription subscription(raw);
  if (status != NATS_OK) {
    Receivers().Cancel(ticket);
    return NatsError(status, "subscribe to " + subject);
  }
  std::uint64_t number = 0;
  {
    const MutexLock lock(mutex_);
    number = ++last_number_;
    listening_.emplace(number, std::move(subscription));
  }
  return std::make_unique<NatsListening>(weak_from_this(), number, ticket);
}

void NatsLink::StopListening(std::uint64_t number) {
  NatsSubscription subscription;
  {
    const MutexLock lock(mutex_);
    const auto found = listening_.find(number);
    if (found == listening_.end()) return;
    subscription = std::move(found->second);
    listening_.erase(found);
  }
  natsSubscription_Unsubscribe(
      subscription.get());  // fails on a closed connection, where it is done
  bool many = false;
  {
    const MutexLock lock(mutex_);
    retired_.push_back(std::move(subscription));
    many = retired_.size() > kMostRetired;
  }
  if (many) Flush(kRetireTimeout).IgnoreError();  // else the next one does it
}

absl::Status NatsLink::Flush(absl::Duration timeout) {
  std::vector<NatsSubscription> passed;
  {
    const MutexLock lock(mutex_);
    passed.swap(retired_);
  }
  const std::int64_t milliseconds = std::max<std::int64_t>(1, absl::ToInt64Milliseconds(timeout));
  const absl::Status seen =
      NatsError(natsConnection_FlushTimeout(connection_.get(), milliseconds), "reach the server");
  if (!seen.ok()) {
    const MutexLock lock(mutex_);
    for (NatsSubscription& subscription : passed)
      retired_.push_back(std::move(subscription));
    passed.clear();
  }
  return seen;
}

void NatsLink::Close() {
  natsConnection_Close(connection_.get());
}

}  // namespace trove
