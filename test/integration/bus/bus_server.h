#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "libtrove/bus/nats_bus.h"
#include "test/support/mini_nats.h"

namespace trove {

/// A nats-server for a test, and the ways to be a client of it. Aborts when something fails that no
/// test is about. Used by one thread at a time.
class BusServer {
 public:
  BusServer();

  MiniNats& nats() { return *nats_; }

  /// To connect as a user who may do everything, as a guest, as a service.
  NatsBusOptions Everybody() const;
  NatsBusOptions Guest(const GuestId& guest) const;
  NatsBusOptions Service(const std::string& service) const;

  /// As Everybody, for a user whose JWT is good for this long.
  NatsBusOptions EverybodyFor(absl::Duration validity) const;

  /// A connection that is up.
  std::unique_ptr<NatsBus> Connect(NatsBusOptions options) const;

 private:
  NatsBusOptions With(identity::NatsCredentials credentials, const std::string& name) const;

  std::unique_ptr<MiniNats> nats_;
};

}  // namespace trove
