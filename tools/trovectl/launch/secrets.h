#pragma once

#include <filesystem>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/identity/certificate_authority.h"
#include "libtrove/identity/nats_authority.h"
#include "tools/trovectl/launch/layout.h"

namespace trove::trovectl {

/// The roots of a mesh, as its data directory keeps them.
struct MeshSecrets {
  std::string mesh_id;
  absl::Time made_at;  ///< when the mesh was made, in whole seconds
  identity::CertificateAuthority mesh_authority;
  identity::CertificateAuthority endpoint_authority;
  identity::NatsAuthority nats;
};

/// Reads the mesh's roots and keys, and makes those that are missing while the mesh has no store
/// yet. Errors: kFailedPrecondition: a mesh with a store lacks a secret, which is named: nothing
/// could replace it.
absl::StatusOr<MeshSecrets> EnsureSecrets(const Layout& layout, absl::Time now);

/// Gives every service new mesh certificates and, where it has none yet, credentials of the bus;
/// the api, and the gateway in case it needs one, a certificate for `address` (an IP address) by
/// the endpoint authority; and nats-server what it is run with.
absl::Status IssueServiceFiles(const Layout& layout,
                               const MeshSecrets& secrets,
                               const std::string& address,
                               absl::Time now);

}  // namespace trove::trovectl
