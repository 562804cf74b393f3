#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/identity/keys.h"

namespace trove::identity {

/// What a certificate says. Nothing of it is proved until VerifyCertificate.
struct CertificateFacts {
  std::string common_name;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> uris;
  absl::Time not_before;
  absl::Time not_after;
  bool is_authority = false;
  std::string serial;  ///< hex, upper case
};

/// Reads the first certificate of a PEM. Errors: kInvalidArgument.
absl::StatusOr<CertificateFacts> ReadCertificate(std::string_view pem);

/// The key that a certificate is about. Errors: kInvalidArgument: not a certificate, or a key of a
/// kind that we do not use.
absl::StatusOr<PublicKey> KeyOfCertificate(std::string_view pem);

/// What a certificate is to be used for by the one who presents it.
enum class CertificateUse { kAny, kServer, kClient };

struct VerifyOptions {
  CertificateUse use = CertificateUse::kAny;
  std::string dns_name;  ///< must be among its names; empty: any
  absl::Time at;         ///< the moment to judge; must be given
};

/// OK when the first certificate in `pem` was issued by one of the authorities in `roots_pem` and
/// meets `options`. Errors: kUnauthenticated names the reason; kInvalidArgument: not PEM.
absl::Status VerifyCertificate(std::string_view pem,
                               std::string_view roots_pem,
                               const VerifyOptions& options);

}  // namespace trove::identity
