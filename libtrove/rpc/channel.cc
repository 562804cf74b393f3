#include "libtrove/rpc/channel.h"

#include <optional>
#include <vector>

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>

#include "libtrove/identity/mesh_identity.h"
#include "libtrove/rpc/grpc_log.h"
#include "libtrove/rpc/mesh_verifier.h"

namespace trove::rpc {
namespace {

// All channels and servers of a process share one queue and its threads for callbacks, and gRPC
// ends these with the last of its users. When that is a channel that goes with the last callback, a
// thread of the queue waits for itself and then works on with freed memory (gRPC 1.51). This
// channel leads nowhere and never goes; its one call, which is cancelled before it starts, makes it
// a user.
void KeepCallbackThreads() {
  struct Forever {
    grpc::GenericStub stub{grpc::CreateChannel("unix:/", grpc::InsecureChannelCredentials())};
    grpc::ClientContext context;
    grpc::ByteBuffer request{nullptr, 0};
    grpc::ByteBuffer response;
  };
  static Forever* const forever = [] {
    auto* made = new Forever;
    made->context.TryCancel();
    made->stub.UnaryCall(
        &made->context, "/", {}, &made->request, &made->response, [](const grpc::Status&) {});
    return made;
  }();
  (void)forever;
}

grpc::ChannelArguments Arguments() {
  UseOurLogForGrpc();
  KeepCallbackThreads();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'500);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // how long one attempt may take
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

// The name in the certificate that TLS asks the server for.
std::string DnsNameOf(const identity::PeerIdentity& peer) {
  return peer.kind == identity::PeerKind::kGuest ? identity::GuestDnsName(GuestId(peer.name))
                                                 : identity::ServiceDnsName(peer.name);
}

std::shared_ptr<grpc::Channel> Create(grpc::experimental::TlsChannelCredentialsOptions& options,
                                      const std::string& address,
                                      const identity::PeerIdentity& expected) {
  options.watch_root_certs();
  options.set_certificate_verifier(MakeMeshVerifier(expected.mesh_id, expected));
  options.set_check_call_host(false);  // the identity is checked, not the name of an address
  grpc::ChannelArguments arguments = Arguments();
  arguments.SetSslTargetNameOverride(DnsNameOf(expected));
  return grpc::CreateCustomChannel(address, grpc::experimental::TlsCredentials(options), arguments);
}

}  // namespace

std::shared_ptr<grpc::Channel> MeshChannel(const std::string& address,
                                           const identity::PeerIdentity& expected,
                                           const TlsSource& tls) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(tls.provider());
  options.watch_identity_key_cert_pairs();
  return Create(options, address, expected);
}

std::shared_ptr<grpc::Channel> EnrolChannel(const std::string& address,
                                            const identity::PeerIdentity& expected,
                                            const std::string& authority_pem) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::StaticDataCertificateProvider>(authority_pem));
  return Create(options, address, expected);
}

std::shared_ptr<grpc::Channel> PublicChannel(const std::string& address,
                                             const std::string& authority_pem,
                                             const std::string& server_name) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = authority_pem;
  grpc::ChannelArguments arguments = Arguments();
  if (!server_name.empty()) arguments.SetSslTargetNameOverride(server_name);
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments);
}

}  // namespace trove::rpc
