#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <nats/nats.h>

#include "libtrove/base/handle.h"
#include "libtrove/base/mutex.h"
#include "libtrove/bus/nats_bus.h"
#include "libtrove/identity/nkey.h"

namespace trove {

using NatsConnection = Handle<natsConnection, natsConnection_Destroy>;
using NatsSubscription = Handle<natsSubscription, natsSubscription_Destroy>;
using NatsMessage = Handle<natsMsg, natsMsg_Destroy>;
using NatsOptions = Handle<natsOptions, natsOptions_Destroy>;

/// One message as the library gave it.
struct NatsIncoming {
  std::string subject;
  std::string reply;  ///< empty: nobody waits for an answer
  std::string payload;
  bool nobody_listens = false;  ///< the server's own answer to a request
};

/// Hears from connections; `link` is the number that Open was given. Called on the library's
/// threads, which must not be kept.
class NatsLinkObserver {
 public:
  virtual ~NatsLinkObserver() = default;

  /// The connection has ended. Told once.
  virtual void OnClosed(std::uint64_t link, const absl::Status& reason) = 0;

  /// The server complained, or the library did.
  virtual void OnError(std::uint64_t link, const absl::Status& error) = 0;
};

/// What proves who we are to the server.
struct NatsLogin {
  std::string jwt;
  identity::NKey key;
};

class NatsLink;

/// A subscription on one connection. Its end is the end of `on_incoming`, but for a call that is
/// just running.
class NatsListening {
 public:
  NatsListening(std::weak_ptr<NatsLink> link, std::uint64_t number, void* ticket);
  ~NatsListening();
  NatsListening(const NatsListening&) = delete;
  NatsListening& operator=(const NatsListening&) = delete;

 private:
  const std::weak_ptr<NatsLink> link_;
  const std::uint64_t number_;
  void* const ticket_;
};

/// Set once, waited for by any thread.
class NatsLatch {
 public:
  void Set() TROVE_EXCLUDES(mutex_);
  bool Wait(absl::Duration at_most) TROVE_EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar changed_;
  bool set_ TROVE_GUARDED_BY(mutex_) = false;
};

/// One connection to one server, from its beginning to its end; it is never made again. Ends on the
/// thread that drops it last, which is never the library's. Thread-safe.
class NatsLink : public std::enable_shared_from_this<NatsLink> {
 public:
  using OnIncoming = std::function<void(NatsIncoming incoming)>;

  /// Connects and waits at most `options.connect_timeout`. Errors: kUnauthenticated: the server
  /// refused the login; kUnavailable; kInternal.
  static absl::StatusOr<std::shared_ptr<NatsLink>> Open(const NatsBusOptions& options,
                                                        const std::string& url,
                                                        const NatsLogin& login,
                                                        std::uint64_t link,
                                                        std::weak_ptr<NatsLinkObserver> observer);
  ~NatsLink();
  NatsLink(const NatsLink&) = delete;
  NatsLink& operator=(const NatsLink&) = delete;

  /// Sends at once. `reply` and `msg_id` may be empty. A link that failed to send is closed, as
  /// part of a message may have gone out.
  absl::Status Send(const std::string& subject,
                    const std::string& reply,
                    std::string_view payload,
                    const std::string& msg_id);

  /// Subscribes; `group` may be empty. `on_incoming` runs on the library's thread.
  absl::StatusOr<std::unique_ptr<NatsListening>> Listen(const std::string& subject,
                                                        const std::string& group,
                                                        OnIncoming on_incoming)
      TROVE_EXCLUDES(mutex_);

  /// Waits until the server has seen all that was sent. Errors: kDeadlineExceeded; kUnavailable.
  absl::Status Flush(absl::Duration timeout) TROVE_EXCLUDES(mutex_);

  void Close();

 private:
  friend class NatsListening;

  NatsLink(NatsConnection connection, std::shared_ptr<NatsLatch> closed);

  void StopListening(std::uint64_t number) TROVE_EXCLUDES(mutex_);

  const NatsConnection connection_;
  const std::shared_ptr<NatsLatch> closed_;
  Mutex mutex_;
  std::uint64_t last_number_ TROVE_GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, NatsSubscription> listening_ TROVE_GUARDED_BY(mutex_);
  // The thread of nats.c 3.4.1 that reads from the server looks a subscription up, lets go of the
  // lock and then uses it without holding it (its issue 637). So one that has ended is kept until
  // that thread is known to be past it: it has read an answer to something sent later, or ended.
  std::vector<NatsSubscription> retired_ TROVE_GUARDED_BY(mutex_);
};

}  // namespace trove
