#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/mutex.h"
#include "libtrove/bus/mailbox.h"
#include "libtrove/bus/nats_bus.h"
#include "libtrove/bus/nats_link.h"
#include "libtrove/bus/pending_reply.h"

namespace trove {

/// What a NatsBus, its subscriptions, its replies and the library's callbacks share, so that each
/// of them may be the last. It holds nothing that must not end on a thread of the library once Run
/// has returned. Thread-safe.
class NatsBus::Core final : public NatsLinkObserver, public std::enable_shared_from_this<Core> {
 public:
  /// A subscription: what outlives each single connection.
  struct Entry {
    Entry(const Subject& subject_in, const SubscribeOptions& options, BusHandler handler)
        : subject(subject_in.value()),
          group(options.queue_group),
          mailbox(options, std::move(handler)) {}

    const std::string subject;
    const std::string group;
    Mailbox mailbox;

    // Guarded by the core's mutex.
    std::uint64_t on_link = 0;  // the connection that it is or is being put on
    std::unique_ptr<NatsListening> listening;
    bool ended = false;
    absl::Status refusal;
  };

  Core(NatsBusOptions options, NatsLogin login);

  /// Connects, restores and waits, again and again, until `stop` is set.
  void Run(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);

  void ReplaceLogin(NatsLogin login) TROVE_EXCLUDES(mutex_);

  absl::Status Send(const std::string& subject, std::string_view payload) TROVE_EXCLUDES(mutex_);

  /// A request that was sent and waits.
  struct Asked {
    std::string reply;  // where the answer arrives
    std::shared_ptr<PendingReply> pending;
  };
  /// Sends with a fresh inbox. `msg_id` may be empty. On success EndAsking must follow.
  absl::StatusOr<Asked> BeginAsking(const std::string& subject,
                                    std::string_view payload,
                                    const std::string& msg_id) TROVE_EXCLUDES(mutex_);
  void EndAsking(const Asked& asked) TROVE_EXCLUDES(mutex_);
  /// The same, and waits in between.
  absl::StatusOr<std::string> Ask(const Call& call,
                                  const std::string& subject,
                                  std::string_view payload,
                                  const std::string& msg_id) TROVE_EXCLUDES(mutex_);

  absl::StatusOr<std::shared_ptr<Entry>> Add(const Call& call,
                                             const Subject& subject,
                                             const SubscribeOptions& options,
                                             BusHandler handler) TROVE_EXCLUDES(mutex_);
  void Remove(const std::shared_ptr<Entry>& entry) TROVE_EXCLUDES(mutex_);
  absl::Status RefusalOf(const Entry& entry) const TROVE_EXCLUDES(mutex_);

  void AddListener(const std::shared_ptr<Mailbox>& listener) TROVE_EXCLUDES(mutex_);
  void RemoveListener(const std::shared_ptr<Mailbox>& listener) TROVE_EXCLUDES(mutex_);

  BusState state() const TROVE_EXCLUDES(mutex_);
  absl::Status WaitUntilConnected(const Call& call) TROVE_EXCLUDES(mutex_);

  int event_replicas() const { return options_.event_replicas; }

  void OnClosed(std::uint64_t link, const absl::Status& reason) override TROVE_EXCLUDES(mutex_);
  void OnError(std::uint64_t link, const absl::Status& error) override TROVE_EXCLUDES(mutex_);

 private:
  struct Waiting {
    std::string subject;
    std::shared_ptr<PendingReply> pending;
  };
  struct Current {
    std::shared_ptr<NatsLink> link;
    std::uint64_t id = 0;
    std::string inbox;
  };

  // The steps of Run, on its thread.
  absl::Status ConnectOnce() TROVE_EXCLUDES(mutex_);
  absl::StatusOr<std::shared_ptr<NatsLink>> OpenAny() TROVE_EXCLUDES(mutex_);
  absl::Status Restore(const std::shared_ptr<NatsLink>& link) TROVE_EXCLUDES(mutex_);
  void Disconnect(const absl::Status& reason) TROVE_EXCLUDES(mutex_);
  bool WaitWhile(const std::stop_token& stop,
                 absl::Duration at_most,
                 const std::function<bool()>& condition) TROVE_EXCLUDES(mutex_);

  absl::StatusOr<Current> UsableLink() const TROVE_REQUIRES(mutex_);
  absl::Status Attach(NatsLink& link, std::uint64_t id, const std::shared_ptr<Entry>& entry)
      TROVE_EXCLUDES(mutex_);
  void Receive(const std::shared_ptr<Entry>& entry, NatsIncoming incoming);
  void ReceiveReply(const NatsIncoming& incoming) TROVE_EXCLUDES(mutex_);
  absl::Status Confirm(const Call& call, NatsLink& link) const;
  std::map<std::string, Waiting> MarkLost(const absl::Status& reason) TROVE_REQUIRES(mutex_);

  const NatsBusOptions options_;
  mutable Mutex mutex_;
  CondVar changed_;
  NatsLogin login_ TROVE_GUARDED_BY(mutex_);
  BusState state_ TROVE_GUARDED_BY(mutex_);
  std::uint64_t link_id_ TROVE_GUARDED_BY(mutex_) = 0;       // of the newest connection
  bool link_ended_ TROVE_GUARDED_BY(mutex_) = true;          // the newest one has closed
  std::shared_ptr<NatsLink> link_ TROVE_GUARDED_BY(mutex_);  // usable while state_.connected
  std::string inbox_ TROVE_GUARDED_BY(mutex_);               // of link_, with a final dot
  absl::Status inbox_refusal_ TROVE_GUARDED_BY(mutex_);
  std::uint64_t last_request_ TROVE_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Waiting> waiting_ TROVE_GUARDED_BY(mutex_);  // by reply subject
  std::vector<std::shared_ptr<Entry>> entries_ TROVE_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Mailbox>> listeners_ TROVE_GUARDED_BY(mutex_);
  std::unique_ptr<NatsListening> inbox_listening_;  // of Run's thread
};

}  // namespace trove
