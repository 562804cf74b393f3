#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/call.h"
#include "libtrove/bus/subject.h"

namespace trove {

/// The largest payload of a message and of a reply, in bytes.
inline constexpr std::size_t kMaxBusPayloadBytes = std::size_t{1} << 20;

/// The largest payload of an event, in bytes: its message id travels beside it.
inline constexpr std::size_t kMaxEventPayloadBytes = kMaxBusPayloadBytes - 4096;

/// Answers a request. Never waits for the other side. May be called from any thread, also after the
/// handler has returned and after the subscription and the bus have gone; only the first answer
/// counts. Errors: kInvalidArgument: more than kMaxBusPayloadBytes; kFailedPrecondition: answered
/// before; kUnavailable: the bus is not connected, and the other side will see its deadline.
using BusReply = std::function<absl::Status(std::string_view payload)>;

/// One message as it arrived.
struct BusMessage {
  Subject subject;      ///< what it was sent to, also where the subscription is to a pattern
  std::string payload;  ///< at most kMaxBusPayloadBytes; who sent it is to be checked, not trusted
  BusReply reply;       ///< null when nobody waits for an answer

  bool can_reply() const { return reply != nullptr; }
};

using BusHandler = std::function<void(BusMessage message)>;

/// What happens to a message when the queue of its subscription is full.
enum class Overflow {
  kDropOldest,  ///< the newest are worth most: heartbeats, hints
  kDropNewest,  ///< first come, first served: requests, whose senders see no reply and repeat
};

struct SubscribeOptions {
  /// Each message goes to one subscriber of a group. Empty: every subscriber hears it.
  std::string queue_group;

  /// How much may wait for the handler, in messages and in bytes of payload, before `overflow`.
  std::size_t capacity_messages = 1024;
  std::size_t capacity_bytes = 4 * kMaxBusPayloadBytes;
  Overflow overflow = Overflow::kDropNewest;
};

/// As long as it lives, its handler hears. Its destructor waits until a running handler has
/// returned, drops what waits, and is never called from that handler. It may outlive the bus.
class Subscription {
 public:
  virtual ~Subscription() = default;

  /// How many messages were dropped since the start because the queue was full.
  virtual std::uint64_t dropped() const = 0;

  /// kPermissionDenied once the server has refused this subscription, until a connection on which
  /// it has not; OK otherwise, also while there is no connection.
  virtual absl::Status status() const = 0;
};

/// A request under way, for whoever does not wait. Destroying it gives up its answer. May outlive
/// the bus. Thread-safe.
class Inquiry {
 public:
  virtual ~Inquiry() = default;

  /// What Request would have returned by now, but for its deadline; absent: nothing came yet. Never
  /// waits.
  virtual std::optional<absl::StatusOr<std::string>> Answer() const = 0;
};

/// How the bus is doing.
struct BusState {
  bool connected = false;
  absl::Time since;               ///< when `connected` last changed
  std::uint64_t connections = 0;  ///< how often a connection was made since the start
  std::uint64_t refusals = 0;     ///< how often the server refused a subject since the start
  absl::Status last_error;        ///< the last failure to connect, lost connection or refusal
};

/// Carries messages between the control plane and the guest agents. It delivers at most once and is
/// the only copy of nothing: whoever needs certainty asks for a reply and repeats. A lost
/// connection is made again for ever, with all subscriptions, without help. Thread-safe.
///
/// A handler runs on a thread of its subscription, one message at a time in the order of arrival,
/// so a slow handler delays nobody else. It may use the bus.
class Bus {
 public:
  virtual ~Bus() = default;

  /// Sends `payload` to whoever listens now; nobody may.
  /// Errors: kInvalidArgument: more than kMaxBusPayloadBytes; kUnavailable: not connected, and
  /// nothing was sent; kDeadlineExceeded and kCancelled: too late to start. A refusal by the server
  /// is seen only in state() and in the log.
  virtual absl::Status Publish(const Call& call,
                               const Subject& subject,
                               std::string_view payload) = 0;

  /// Sends `payload` and waits for one reply.
  /// Errors: kUnavailable: nobody listens on `subject` or the bus is not connected, at once; also
  /// when the connection was lost while waiting, and then the other side may have acted;
  /// kDeadlineExceeded: no reply in time, and the other side may have acted; kCancelled:
  /// `call.stop` was set; kPermissionDenied: the server does not let us; kInvalidArgument: the
  /// payload is too large.
  virtual absl::StatusOr<std::string> Request(const Call& call,
                                              const Subject& subject,
                                              std::string_view payload) = 0;

  /// Sends `payload` as Request does, and leaves it to the caller to look for the reply. Errors: as
  /// Request has at once.
  virtual absl::StatusOr<std::unique_ptr<Inquiry>> Ask(const Call& call,
                                                       const Subject& subject,
                                                       std::string_view payload) = 0;

  /// Hears what is sent to `subject` (a pattern is allowed) from when it returns, if connected
  /// then; else from the next connection on. Errors: kInvalidArgument: a capacity of 0, a queue
  /// group with blanks or wildcards; kDeadlineExceeded and kCancelled: the server did not confirm
  /// in time.
  virtual absl::StatusOr<std::unique_ptr<Subscription>> Subscribe(const Call& call,
                                                                  const Subject& subject,
                                                                  const SubscribeOptions& options,
                                                                  BusHandler handler) = 0;

  /// Makes the stream that keeps events for 7 days, or mends it. Safe to repeat.
  /// Errors: kUnavailable: not connected, or the server has no JetStream (yet); kDeadlineExceeded;
  /// kCancelled; kPermissionDenied; kInternal with what the server said.
  virtual absl::Status EnsureEventStream(const Call& call) = 0;

  /// Publishes an event and waits until the stream has it. The same `msg_id` within two minutes is
  /// stored once, so that a retry is safe. Subscribers to the subject hear it too.
  /// Errors: kInvalidArgument: more than kMaxEventPayloadBytes, a subject that is no event's, or a
  /// message id that is empty, longer than 128 or not printable; kUnavailable: not connected, or no
  /// stream takes it (yet); kDeadlineExceeded and kCancelled: it may be stored; kPermissionDenied;
  /// kInternal with what the server said.
  virtual absl::Status PublishEvent(const Call& call,
                                    const Subject& subject,
                                    std::string_view payload,
                                    const EventId& msg_id) = 0;

  /// How the bus is doing; never waits.
  virtual BusState state() const = 0;

  /// Waits for a connection. Errors: kDeadlineExceeded, with the reason why there is none;
  /// kCancelled.
  virtual absl::Status WaitUntilConnected(const Call& call) = 0;

  /// Calls `listener` after each connection that is made from now on, when its subscriptions are in
  /// place: what was sent in the meantime is lost, so this is the moment to look again. It runs on
  /// a thread of its own; connections that come while it runs are told as one. `listener` is heard
  /// until the result is destroyed, as with Subscribe.
  virtual std::unique_ptr<Subscription> OnReconnect(std::function<void()> listener) = 0;
};

}  // namespace trove
