#include "test/integration/bus/bus_server.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include <absl/time/clock.h>

#include "libtrove/identity/nats_permissions.h"

namespace trove {
namespace {

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "no test can go on: %s\n", result.status().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

}  // namespace

BusServer::BusServer() : nats_(Must(MiniNats::Start())) {}

NatsBusOptions BusServer::With(identity::NatsCredentials credentials,
                               const std::string& name) const {
  NatsBusOptions options;
  options.urls = {nats_->url()};
  options.name = name;
  options.authority_file = nats_->folder() / "mesh-ca.pem";
  options.server_name = nats_->tls_name();
  options.credentials = std::move(credentials);
  options.inbox_prefix = identity::NatsInboxPrefix(name);
  return options;
}

NatsBusOptions BusServer::EverybodyFor(absl::Duration validity) const {
  const identity::NKey user = Must(identity::NKey::Generate(identity::NKeyKind::kUser));
  identity::NatsUserClaims claims;
  claims.name = "everybody";
  claims.user = user.public_key();
  claims.account = nats_->issuer().account();
  claims.permissions.publish_allow = {">"};
  claims.permissions.subscribe_allow = {">"};
  if (validity != absl::InfiniteDuration()) claims.expires = absl::Now() + validity;
  return With({Must(identity::MakeNatsUserJwt(nats_->authority().signing_key, claims, absl::Now())),
               user.seed()},
              "everybody");
}

NatsBusOptions BusServer::Everybody() const {
  return EverybodyFor(absl::InfiniteDuration());
}

NatsBusOptions BusServer::Guest(const GuestId& guest) const {
  return With(Must(nats_->GuestCredentials(guest)), guest.value());
}

NatsBusOptions BusServer::Service(const std::string& service) const {
  return With(Must(nats_->ServiceCredentials(service)), service);
}

std::unique_ptr<NatsBus> BusServer::Connect(NatsBusOptions options) const {
  options.wait_for_first_connection = true;
  return Must(NatsBus::Connect(CallFor(absl::Seconds(20)), std::move(options)));
}

}  // namespace trove
