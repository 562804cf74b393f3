#pragma once

#include <memory>
#include <optional>
#include <string>

#include <grpcpp/security/tls_certificate_verifier.h>

#include "libtrove/identity/spiffe.h"

namespace trove::rpc {

/// Ends a TLS handshake unless the peer's certificate, whose chain TLS itself has checked, carries
/// exactly one SPIFFE id, of the mesh `mesh_id`, and of `expected` if that is given.
std::shared_ptr<grpc::experimental::CertificateVerifier> MakeMeshVerifier(
    std::string mesh_id, std::optional<identity::PeerIdentity> expected);

}  // namespace trove::rpc
