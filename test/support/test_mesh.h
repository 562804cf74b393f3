#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "libtrove/base/id.h"
#include "libtrove/identity/certificate_authority.h"
#include "libtrove/identity/mesh_identity.h"
#include "libtrove/identity/spiffe.h"
#include "libtrove/rpc/tls_source.h"
#include "test/support/temporary_directory.h"

namespace trove {

/// A mesh's authorities in a folder of their own, and certificates for whoever a test plays. Aborts
/// when something fails, as no test could go on. The folder is removed in the end.
class TestMesh {
 public:
  TestMesh();

  const std::string& mesh_id() const { return mesh_id_; }

  /// Free for the test's own files and sockets; its path is short enough for those.
  const std::filesystem::path& folder() const { return folder_.path(); }

  /// The certificates of a service, or of a guest's agent, for listeners and channels. A new
  /// certificate at each call.
  std::shared_ptr<const rpc::TlsSource> Service(std::string_view name);
  std::shared_ptr<const rpc::TlsSource> Guest(const GuestId& guest);

  /// The certificate of a public listener on the loopback addresses.
  std::shared_ptr<const rpc::TlsSource> Endpoint();

  const std::string& mesh_authority_pem() const { return mesh_.certificate_pem(); }
  const std::string& endpoint_authority_pem() const { return endpoint_.certificate_pem(); }
  const identity::CertificateAuthority& mesh_authority() const { return mesh_; }

  /// Who a channel expects on the other side.
  identity::PeerIdentity ServiceIdentity(std::string_view name) const;
  identity::PeerIdentity GuestIdentity(const GuestId& guest) const;

  /// Writes an identity's three files into a folder below folder(), over what is there.
  rpc::TlsFiles Write(const std::string& name, const identity::IssuedIdentity& identity) const;

 private:
  std::shared_ptr<const rpc::TlsSource> Open(const std::string& name,
                                             const identity::IssuedIdentity& identity);

  const TemporaryDirectory folder_;
  const std::string mesh_id_;
  const identity::CertificateAuthority mesh_;
  const identity::CertificateAuthority endpoint_;
  int issued_ = 0;
};

}  // namespace trove
