#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <nats/nats.h>

#include "libtrove/base/handle.h"
#include "libtrove/identity/nats_jwt.h"
#include "libtrove/identity/nkey.h"

namespace trove::identity {

/// Where and as whom to connect.
struct NatsTarget {
  std::string url;
  std::string tls_name;
  std::string authority_pem;
  std::string inbox_prefix;
};

/// A subscription that is asked for its messages.
class NatsListener {
 public:
  explicit NatsListener(natsSubscription* subscription) : subscription_(subscription) {}

  /// The next message's payload, or nothing within `within`.
  std::optional<std::string> Next(absl::Duration within);

  /// Waits for a request and answers it.
  bool AnswerNext(natsConnection* connection, const std::string& answer, absl::Duration within);

 private:
  Handle<natsSubscription, natsSubscription_Destroy> subscription_;
};

/// A bare nats.c connection with credentials in memory, to see what the server really does with
/// them.
class NatsConnection {
 public:
  /// Errors: kPermissionDenied: the server refuses the credentials; kUnavailable: anything else.
  static absl::StatusOr<std::unique_ptr<NatsConnection>> Connect(
      const NatsTarget& target, const NatsCredentials& credentials);
  ~NatsConnection();

  natsConnection* get() { return connection_; }
  int violations() const { return violations_; }
  bool closed() const { return natsConnection_IsClosed(connection_); }

  void Publish(const std::string& subject, const std::string& payload);
  NatsListener Listen(const std::string& subject);

  /// The reply to a request. Errors: kDeadlineExceeded; kUnavailable: nobody listens.
  absl::StatusOr<std::string> Request(const std::string& subject,
                                      const std::string& payload,
                                      absl::Duration within);

 private:
  NatsConnection(std::string jwt, NKey key);

  static natsStatus OnJwt(char** jwt, char** error, void* self);
  static natsStatus OnNonce(
      char** error, unsigned char** signature, int* size, const char* nonce, void* self);
  static void OnError(natsConnection* connection,
                      natsSubscription* subscription,
                      natsStatus status,
                      void* self);

  const std::string jwt_;
  const NKey key_;
  std::atomic<int> violations_ = 0;
  natsConnection* connection_ = nullptr;
};

}  // namespace trove::identity
