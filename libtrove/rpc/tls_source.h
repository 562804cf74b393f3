#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/security/tls_certificate_provider.h>

namespace trove::rpc {

/// Paths of PEM files. A listener without client certificates needs no `authority`; whoever shows
/// no certificate of its own has no `certificate` and `key`.
struct TlsFiles {
  std::string certificate;  ///< with the chain, if there is one
  std::string key;
  std::string authority;  ///< roots that the other side must chain to
};

/// Certificates read from files and read again when these change, without a restart: connections
/// made after that use the new ones. Shared by all listeners and channels of a process that use the
/// same files; costs one thread. Key and certificate are best replaced within one `refresh`; a
/// mismatch in between fails handshakes until the next look. Thread-safe.
class TlsSource {
 public:
  /// Looks at the files each `refresh` (whole seconds, at least 1). Errors: kNotFound or
  /// kPermissionDenied names the file; kInvalidArgument: one is not PEM, or neither a certificate
  /// nor an authority is given.
  static absl::StatusOr<std::shared_ptr<const TlsSource>> Open(
      const TlsFiles& files, absl::Duration refresh = absl::Seconds(10));

  const TlsFiles& files() const { return files_; }
  bool has_certificate() const { return !files_.certificate.empty(); }
  bool has_authority() const { return !files_.authority.empty(); }

  /// gRPC's object behind it.
  const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& provider() const {
    return provider_;
  }

 private:
  TlsSource(TlsFiles files, absl::Duration refresh);

  const TlsFiles files_;
  const std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider_;
};

}  // namespace trove::rpc
