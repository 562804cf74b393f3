#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/secret.h"
#include "libtrove/identity/keys.h"

namespace trove::identity {

/// What a certificate shall say. The authority writes this and nothing of the request.
struct CertificateProfile {
  std::string common_name;  ///< 1 to 64 bytes
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;  ///< v4 or v6, as text
  std::vector<std::string> uris;          ///< SPIFFE ids
  bool server_auth = false;
  bool client_auth = false;
  absl::Duration validity;  ///< from now on; cut where the authority's own time ends
};

/// A root that issues certificates: one self-signed P-256 key, without intermediates. Cheap to
/// copy. Thread-safe, as nothing changes it.
class CertificateAuthority {
 public:
  /// Makes a new one, valid for 10 years. `common_name` is what people see of it.
  static absl::StatusOr<CertificateAuthority> Create(const std::string& common_name,
                                                     absl::Time now);

  /// Errors: kInvalidArgument: not PEM, or not an authority's certificate; kFailedPrecondition: the
  /// key belongs to another certificate.
  static absl::StatusOr<CertificateAuthority> Load(const std::string& certificate_pem,
                                                   const Secret& private_key_pem);

  const std::string& certificate_pem() const { return certificate_pem_; }
  Secret private_key_pem() const { return key_.Pem(); }

  /// Certifies the key of a request after checking that its sender holds it. The certificate counts
  /// from 5 minutes before `now`, for clocks that are behind. Errors: as CheckCsr;
  /// kInvalidArgument: a profile with a malformed name or address, without any use, or without
  /// validity.
  absl::StatusOr<std::string> Issue(std::string_view csr_pem,
                                    const CertificateProfile& profile,
                                    absl::Time now) const;

  /// The same for a key that needs no proof, because it was made here or its holder proved it
  /// otherwise.
  absl::StatusOr<std::string> IssueForKey(const PublicKey& key,
                                          const CertificateProfile& profile,
                                          absl::Time now) const;

 private:
  CertificateAuthority(std::string certificate_pem, PrivateKey key);

  std::string certificate_pem_;
  PrivateKey key_;
};

}  // namespace trove::identity
