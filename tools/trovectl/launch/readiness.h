#pragma once

#include <string>

#include <absl/status/status.h>

#include "libtrove/base/call.h"
#include "tools/trovectl/launch/layout.h"

namespace trove::trovectl {

// Whether a process of the mesh serves. Each is asked once, at its own door. Errors: kUnavailable:
// not reached, or not serving; kDeadlineExceeded.

/// nats-server greets whoever connects; `server_name` tells that it is this mesh's.
absl::Status ProbeNats(const Call& call, int port, const std::string& server_name);

/// The health service of `service` behind its mesh listener at loopback `port`, asked as trovectl
/// with the mesh's own certificates.
absl::Status ProbeMeshService(const Call& call,
                              const Layout& layout,
                              const std::string& mesh_id,
                              const std::string& service,
                              int port);

/// GET /healthcheck at the gateway. With `tls` the certificate is not looked at: the process at
/// that port is our own.
absl::Status ProbeRest(const Call& call, const std::string& address, int port, bool tls);

}  // namespace trove::trovectl
