#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <grpcpp/channel.h>

#include "libtrove/identity/spiffe.h"
#include "libtrove/rpc/tls_source.h"

namespace trove::rpc {

/// All channels connect when first used, reconnect within 2 s of the other side being back, ping an
/// idle connection each 30 s, and have a connection of their own: two channels to one address
/// are two connections. Thread-safe, as every grpc::Channel.

/// To a mesh listener at `address` ("host:port" or "unix:/path"), showing and checking the
/// certificates of `tls`, which must have all three files. The other side must prove to be
/// `expected` (of the same mesh as this side), whatever the address; else calls end in UNAVAILABLE.
std::shared_ptr<grpc::Channel> MeshChannel(const std::string& address,
                                           const identity::PeerIdentity& expected,
                                           const TlsSource& tls);

/// To an enrolment listener, for who has no certificate yet: checks that the other side chains to
/// `authority_pem` and is `expected`.
std::shared_ptr<grpc::Channel> EnrolChannel(const std::string& address,
                                            const identity::PeerIdentity& expected,
                                            const std::string& authority_pem);

/// To a public listener: checks that the other side chains to `authority_pem` and has the name of
/// the address, or `server_name` if that is given.
std::shared_ptr<grpc::Channel> PublicChannel(const std::string& address,
                                             const std::string& authority_pem,
                                             const std::string& server_name = "");

}  // namespace trove::rpc
