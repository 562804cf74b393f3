#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libtrove/bus/bus.h"

namespace trove {

class PendingReply;

/// An event as the stream keeps it.
struct StoredEvent {
  Subject subject;
  std::string payload;
  EventId msg_id;
};

/// A Bus within one process, under the contract of Bus. One object may be all the sides of a test;
/// Peer gives each side its own connection, which can be cut on its own. Thread-safe.
class MemoryBus final : public Bus {
 public:
  /// A bus of its own, connected, without an event stream.
  MemoryBus();
  ~MemoryBus() override;

  /// One more connection to the same bus.
  std::unique_ptr<MemoryBus> Peer() const;

  /// Cuts this connection, as when the server has died: what was under way fails, messages to and
  /// from here are lost. Mend connects it again.
  void Cut();
  void Mend();

  /// What the stream has, in order.
  std::vector<StoredEvent> events() const;

  absl::Status Publish(const Call& call, const Subject& subject, std::string_view payload) override;
  absl::StatusOr<std::string> Request(const Call& call,
                                      const Subject& subject,
                                      std::string_view payload) override;
  absl::StatusOr<std::unique_ptr<Inquiry>> Ask(const Call& call,
                                               const Subject& subject,
                                               std::string_view payload) override;
  absl::StatusOr<std::unique_ptr<Subscription>> Subscribe(const Call& call,
                                                          const Subject& subject,
                                                          const SubscribeOptions& options,
                                                          BusHandler handler) override;
  absl::Status EnsureEventStream(const Call& call) override;
  absl::Status PublishEvent(const Call& call,
                            const Subject& subject,
                            std::string_view payload,
                            const EventId& msg_id) override;
  BusState state() const override;
  absl::Status WaitUntilConnected(const Call& call) override;
  std::unique_ptr<Subscription> OnReconnect(std::function<void()> listener) override;

 private:
  class Hub;
  class HubSubscription;
  struct Connection;

  explicit MemoryBus(std::shared_ptr<Hub> hub);

  absl::StatusOr<std::shared_ptr<PendingReply>> BeginAsking(const Call& call,
                                                            const Subject& subject,
                                                            std::string_view payload);

  std::shared_ptr<Hub> hub_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace trove
