#include "libtrove/rpc/mesh_verifier.h"

#include <functional>
#include <utility>
#include <vector>

#include "libtrove/base/status.h"

namespace trove::rpc {
namespace {

class MeshVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  MeshVerifier(std::string mesh_id, std::optional<identity::PeerIdentity> expected)
      : mesh_id_(std::move(mesh_id)), expected_(std::move(expected)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> /*callback*/,
              grpc::Status* sync_status) override {
    std::vector<std::string> uris;
    for (const grpc::string_ref& uri : request->uri_names())
      uris.emplace_back(uri.data(), uri.size());
    const auto peer = identity::IdentifyPeer(uris, mesh_id_);
    if (!peer.ok()) {
      *sync_status = {grpc::StatusCode::UNAUTHENTICATED, MessageOf(peer.status())};
    } else if (expected_ && *peer != *expected_) {
      *sync_status = {
          grpc::StatusCode::UNAUTHENTICATED,
          "expected " + identity::Describe(*expected_) + ", met " + identity::Describe(*peer)};
    }
    return true;  // decided
  }

  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  const std::string mesh_id_;
  const std::optional<identity::PeerIdentity> expected_;
};

}  // namespace

std::shared_ptr<grpc::experimental::CertificateVerifier> MakeMeshVerifier(
    std::string mesh_id, std::optional<identity::PeerIdentity> expected) {
  return grpc::experimental::ExternalCertificateVerifier::Create<MeshVerifier>(std::move(mesh_id),
                                                                               std::move(expected));
}

}  // namespace trove::rpc
