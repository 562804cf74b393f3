#include "libtrove/rpc/tls_source.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::rpc {
namespace {

absl::Status CheckPem(const std::string& path, std::string_view what) {
  const absl::StatusOr<std::string> content = ReadFile(path);
  if (!content.ok()) return Annotate(content.status(), "read the TLS file " + path);
  if (content->find("-----BEGIN ") == std::string::npos ||
      content->find(what) == std::string::npos) {
    return absl::InvalidArgumentError(path + " is no PEM of a " + std::string(what));
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::experimental::CertificateProviderInterface> Watch(const TlsFiles& files,
                                                                        absl::Duration refresh) {
  const auto seconds =
      static_cast<unsigned>(std::max<std::int64_t>(1, absl::ToInt64Seconds(refresh)));
  return std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.authority, seconds);
}

}  // namespace

TlsSource::TlsSource(TlsFiles files, absl::Duration refresh)
    : files_(std::move(files)), provider_(Watch(files_, refresh)) {}

absl::StatusOr<std::shared_ptr<const TlsSource>> TlsSource::Open(const TlsFiles& files,
                                                                 absl::Duration refresh) {
  if (files.certificate.empty() && files.authority.empty())
    return absl::InvalidArgumentError("TLS needs a certificate or an authority");
  if (files.certificate.empty() != files.key.empty())
    return absl::InvalidArgumentError("a TLS certificate and its key come together");
  if (!files.certificate.empty()) {
    TROVE_RETURN_IF_ERROR(CheckPem(files.certificate, "CERTIFICATE"));
    TROVE_RETURN_IF_ERROR(CheckPem(files.key, "PRIVATE KEY"));
  }
  if (!files.authority.empty()) TROVE_RETURN_IF_ERROR(CheckPem(files.authority, "CERTIFICATE"));
  return std::shared_ptr<const TlsSource>(new TlsSource(files, refresh));
}

}  // namespace trove::rpc
