#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <grpcpp/channel.h>

#include "libtrove/base/call.h"
#include "tools/trovectl/launch/layout.h"

namespace trove::trovectl {

// Whether a process of the mesh serves. Each is asked once, at its own door. Errors: kUnavailable:
// not reached, or not serving; kDeadlineExceeded.

/// nats-server greets whoever connects; `server_name` tells that it is this mesh's.
absl::Status ProbeNats(const Call& call, int port, const std::string& server_name);

/// The health service of `service` behind its mesh listener at loopback `port`, asked as trovectl
/// with the mesh's own certificates. Keeps a connection that works, for the next time.
class MeshServiceProbe {
 public:
  MeshServiceProbe(Layout layout, std::string mesh_id, std::string service, int port);

  absl::Status operator()(const Call& call);

 private:
  absl::Status Connect(const Call& call);

  Layout layout_;
  std::string mesh_id_;
  std::string service_;
  int port_;
  std::shared_ptr<grpc::Channel> channel_;  // null: not connected
};

/// GET /healthcheck at the gateway. With `tls` the certificate is not looked at: the process at
/// that port is our own.
absl::Status ProbeRest(const Call& call, const std::string& address, int port, bool tls);

}  // namespace trove::trovectl
