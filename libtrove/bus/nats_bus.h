#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/backoff.h"
#include "libtrove/base/call.h"
#include "libtrove/base/log.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/nats_jwt.h"

namespace trove {

/// How to reach a nats-server in operator mode over TLS.
struct NatsBusOptions {
  std::vector<std::string> urls;                    ///< nats://host:port, tried in this order
  std::string name;                                 ///< what the server's lists show: `conductor`
  std::filesystem::path authority_file;             ///< PEM of the mesh CA, read at each connection
  std::string server_name = "nats.trove.internal";  ///< must be in the server's certificate
  identity::NatsCredentials credentials;
  std::string inbox_prefix = "_INBOX";     ///< without a final `.`: identity::NatsInboxPrefix
  bool wait_for_first_connection = false;  ///< else Connect does not wait and cannot fail by that
  int event_replicas = 1;                  ///< of the event stream, 1 to 5, in a cluster
  absl::Duration connect_timeout = absl::Seconds(5);  ///< of one attempt
  /// A server that leaves two of these without an answer counts as lost.
  absl::Duration ping_interval = absl::Seconds(5);
  BackoffPolicy reconnect = {absl::Milliseconds(50), absl::Seconds(2)};
  Log log;
};

/// The Bus over NATS. One connection, made again for ever by a thread of ours with the credentials
/// of that moment. What was being sent when a connection broke is lost, and nothing is kept for
/// later while there is none.
class NatsBus final : public Bus {
 public:
  /// Errors: kInvalidArgument: an option that makes no sense, a seed that is none; kNotFound: no
  /// authority file; with `wait_for_first_connection` those of WaitUntilConnected.
  static absl::StatusOr<std::unique_ptr<NatsBus>> Connect(const Call& call, NatsBusOptions options);

  /// Ends the connection. Calls under way on other threads must have returned.
  ~NatsBus() override;

  /// Uses these from the next connection on, which the server itself brings about when the old ones
  /// expire. Errors: kInvalidArgument: the seed is none.
  absl::Status ReplaceCredentials(const identity::NatsCredentials& credentials);

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
  class Core;
  class CoreSubscription;

  explicit NatsBus(std::shared_ptr<Core> core);

  const std::shared_ptr<Core> core_;
  std::jthread connector_;
};

}  // namespace trove
