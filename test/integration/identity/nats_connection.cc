#include "test/integration/identity/nats_connection.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/base/status_macros.h"

namespace trove::identity {
namespace {

using Options = Handle<natsOptions, natsOptions_Destroy>;
using Message = Handle<natsMsg, natsMsg_Destroy>;

// Debian's nats.c loses one signature in 256 (those that begin with a zero byte): a refusal counts
// when it is repeated.
constexpr int kAuthAttempts = 4;

std::string PayloadOf(const natsMsg* message) {
  return std::string(natsMsg_GetData(message),
                     static_cast<std::size_t>(natsMsg_GetDataLength(message)));
}

}  // namespace

std::optional<std::string> NatsListener::Next(absl::Duration within) {
  natsMsg* raw = nullptr;
  if (natsSubscription_NextMsg(&raw, subscription_.get(), absl::ToInt64Milliseconds(within)) !=
      NATS_OK) {
    return std::nullopt;
  }
  const Message message(raw);
  return PayloadOf(message.get());
}

bool NatsListener::AnswerNext(natsConnection* connection,
                              const std::string& answer,
                              absl::Duration within) {
  natsMsg* raw = nullptr;
  if (natsSubscription_NextMsg(&raw, subscription_.get(), absl::ToInt64Milliseconds(within)) !=
      NATS_OK) {
    return false;
  }
  const Message message(raw);
  return natsConnection_PublishString(
             connection, natsMsg_GetReply(message.get()), answer.c_str()) == NATS_OK &&
         natsConnection_Flush(connection) == NATS_OK;
}

NatsConnection::NatsConnection(std::string jwt, NKey key)
    : jwt_(std::move(jwt)), key_(std::move(key)) {}

NatsConnection::~NatsConnection() {
  natsConnection_Destroy(connection_);
}

absl::StatusOr<std::unique_ptr<NatsConnection>> NatsConnection::Connect(
    const NatsTarget& target, const NatsCredentials& credentials) {
  TROVE_ASSIGN_OR_RETURN(NKey key, NKey::FromSeed(credentials.seed));
  std::unique_ptr<NatsConnection> self(new NatsConnection(credentials.jwt, std::move(key)));
  natsOptions* raw = nullptr;
  natsOptions_Create(&raw);
  const Options options(raw);
  natsOptions_SetURL(raw, target.url.c_str());
  natsOptions_SetSecure(raw, true);
  natsOptions_SetCATrustedCertificates(raw, target.authority_pem.c_str());
  natsOptions_SetExpectedHostname(raw, target.tls_name.c_str());
  natsOptions_SetCustomInboxPrefix(raw, target.inbox_prefix.c_str());
  natsOptions_SetUserCredentialsCallbacks(raw, OnJwt, self.get(), OnNonce, self.get());
  natsOptions_SetErrorHandler(raw, OnError, self.get());
  natsOptions_SetAllowReconnect(raw, false);
  natsStatus status = NATS_ERR;
  for (int attempt = 0; attempt < kAuthAttempts; ++attempt) {
    status = natsConnection_Connect(&self->connection_, raw);
    if (status != NATS_CONNECTION_AUTH_FAILED) break;
  }
  if (status == NATS_OK) return self;
  const std::string message = std::string("connect: ") + natsStatus_GetText(status);
  return status == NATS_CONNECTION_AUTH_FAILED ? absl::PermissionDeniedError(message)
                                               : absl::UnavailableError(message);
}

void NatsConnection::Publish(const std::string& subject, const std::string& payload) {
  REQUIRE(natsConnection_PublishString(connection_, subject.c_str(), payload.c_str()) == NATS_OK);
  REQUIRE(natsConnection_Flush(connection_) == NATS_OK);
}

NatsListener NatsConnection::Listen(const std::string& subject) {
  natsSubscription* subscription = nullptr;
  REQUIRE(natsConnection_SubscribeSync(&subscription, connection_, subject.c_str()) == NATS_OK);
  REQUIRE(natsConnection_Flush(connection_) == NATS_OK);
  return NatsListener(subscription);
}

absl::StatusOr<std::string> NatsConnection::Request(const std::string& subject,
                                                    const std::string& payload,
                                                    absl::Duration within) {
  natsMsg* raw = nullptr;
  const natsStatus status = natsConnection_Request(&raw,
                                                   connection_,
                                                   subject.c_str(),
                                                   payload.data(),
                                                   static_cast<int>(payload.size()),
                                                   absl::ToInt64Milliseconds(within));
  if (status == NATS_TIMEOUT) return absl::DeadlineExceededError("no reply from " + subject);
  if (status != NATS_OK) {
    return absl::UnavailableError("request " + subject + ": " + natsStatus_GetText(status));
  }
  const Message message(raw);
  return PayloadOf(message.get());
}

natsStatus NatsConnection::OnJwt(char** jwt, char** /*error*/, void* self) {
  *jwt = ::strdup(static_cast<NatsConnection*>(self)->jwt_.c_str());
  return *jwt == nullptr ? NATS_NO_MEMORY : NATS_OK;
}

natsStatus NatsConnection::OnNonce(
    char** /*error*/, unsigned char** signature, int* size, const char* nonce, void* self) {
  const auto signed_nonce = static_cast<NatsConnection*>(self)->key_.Sign(nonce);
  if (!signed_nonce.ok()) return NATS_ERR;
  *signature = static_cast<unsigned char*>(std::malloc(signed_nonce->size()));
  if (*signature == nullptr) return NATS_NO_MEMORY;
  std::memcpy(*signature, signed_nonce->data(), signed_nonce->size());
  *size = static_cast<int>(signed_nonce->size());
  return NATS_OK;
}

void NatsConnection::OnError(natsConnection* /*connection*/,
                             natsSubscription* /*subscription*/,
                             natsStatus status,
                             void* self) {
  if (status == NATS_NOT_PERMITTED) ++static_cast<NatsConnection*>(self)->violations_;
}

}  // namespace trove::identity
