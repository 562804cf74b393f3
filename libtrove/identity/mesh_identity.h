#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/id.h"
#include "libtrove/base/secret.h"
#include "libtrove/identity/certificate_authority.h"

namespace trove::identity {

/// How long a service's mesh certificate is good; the launcher renews it whenever it starts.
inline constexpr absl::Duration kServiceCertificateValidity = absl::Hours(24 * 365);

/// How long a guest's certificates are good; the agent renews them after two thirds of it.
inline constexpr absl::Duration kGuestCertificateValidity = absl::Hours(24 * 30);

/// The name in a service's mesh certificate that TLS checks: "<service>.trove.internal". A client
/// sets it as its expected server name, whatever the address.
std::string ServiceDnsName(std::string_view service);

/// The same for a guest's agent: "<guest>.guest.trove.internal".
std::string GuestDnsName(const GuestId& guest);

/// What a mesh certificate says of a service: its SPIFFE id and ServiceDnsName. Good as server and
/// client. Errors: kInvalidArgument: a malformed mesh id or name.
absl::StatusOr<CertificateProfile> ServiceMeshProfile(std::string_view mesh_id,
                                                      std::string_view service);

/// What the bus's server shows: as service "nats", server only, and also "localhost" and the
/// loopback addresses, for the tools of others.
absl::StatusOr<CertificateProfile> NatsServerProfile(std::string_view mesh_id);

/// What a mesh certificate says of a guest's agent: its SPIFFE id and GuestDnsName. Good as server
/// and client. Errors: kInvalidArgument: a malformed mesh id or guest id.
absl::StatusOr<CertificateProfile> GuestMeshProfile(std::string_view mesh_id, const GuestId& guest);

/// A private key and the certificates to show with it, as PEM.
struct IssuedIdentity {
  Secret key_pem;
  std::string certificate_pem;
  std::string authority_pem;  ///< of the authority that issued it
};

/// Makes a P-256 key and has it certified as `profile` says.
absl::StatusOr<IssuedIdentity> IssueIdentity(const CertificateAuthority& authority,
                                             const CertificateProfile& profile,
                                             absl::Time now);

/// All a service needs for the mesh, in one call.
absl::StatusOr<IssuedIdentity> IssueServiceIdentity(const CertificateAuthority& mesh_authority,
                                                    std::string_view mesh_id,
                                                    std::string_view service,
                                                    absl::Time now);

/// The same for a guest whose key is made on its behalf: for tests; an agent makes its own key.
absl::StatusOr<IssuedIdentity> IssueGuestIdentity(const CertificateAuthority& mesh_authority,
                                                  std::string_view mesh_id,
                                                  const GuestId& guest,
                                                  absl::Time now);

}  // namespace trove::identity
