#include "libtrove/identity/mesh_identity.h"

#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/identity/keys.h"
#include "libtrove/identity/spiffe.h"

namespace trove::identity {

std::string ServiceDnsName(std::string_view service) {
  return std::string(service) + ".trove.internal";
}

std::string GuestDnsName(const GuestId& guest) {
  return guest.value() + ".guest.trove.internal";
}

absl::StatusOr<CertificateProfile> ServiceMeshProfile(std::string_view mesh_id,
                                                      std::string_view service) {
  TROVE_ASSIGN_OR_RETURN(const std::string spiffe_id, ServiceSpiffeId(mesh_id, service));
  CertificateProfile profile;
  profile.common_name = std::string(service);
  profile.dns_names = {ServiceDnsName(service)};
  profile.uris = {spiffe_id};
  profile.server_auth = true;
  profile.client_auth = true;
  profile.validity = kServiceCertificateValidity;
  return profile;
}

absl::StatusOr<CertificateProfile> NatsServerProfile(std::string_view mesh_id) {
  TROVE_ASSIGN_OR_RETURN(CertificateProfile profile, ServiceMeshProfile(mesh_id, "nats"));
  profile.dns_names.push_back("localhost");
  profile.ip_addresses = {"127.0.0.1", "::1"};
  profile.client_auth = false;
  return profile;
}

absl::StatusOr<CertificateProfile> GuestMeshProfile(std::string_view mesh_id,
                                                    const GuestId& guest) {
  TROVE_ASSIGN_OR_RETURN(const std::string spiffe_id, GuestSpiffeId(mesh_id, guest));
  CertificateProfile profile;
  profile.common_name = guest.value();
  profile.dns_names = {GuestDnsName(guest)};
  profile.uris = {spiffe_id};
  profile.server_auth = true;
  profile.client_auth = true;
  profile.validity = kGuestCertificateValidity;
  return profile;
}

absl::StatusOr<IssuedIdentity> IssueIdentity(const CertificateAuthority& authority,
                                             const CertificateProfile& profile,
                                             absl::Time now) {
  TROVE_ASSIGN_OR_RETURN(const PrivateKey key, PrivateKey::Generate(KeyKind::kP256));
  IssuedIdentity issued;
  TROVE_ASSIGN_OR_RETURN(issued.certificate_pem,
                         authority.IssueForKey(key.public_key(), profile, now));
  issued.key_pem = key.Pem();
  issued.authority_pem = authority.certificate_pem();
  return issued;
}

absl::StatusOr<IssuedIdentity> IssueServiceIdentity(const CertificateAuthority& mesh_authority,
                                                    std::string_view mesh_id,
                                                    std::string_view service,
                                                    absl::Time now) {
  TROVE_ASSIGN_OR_RETURN(const CertificateProfile profile, ServiceMeshProfile(mesh_id, service));
  return IssueIdentity(mesh_authority, profile, now);
}

absl::StatusOr<IssuedIdentity> IssueGuestIdentity(const CertificateAuthority& mesh_authority,
                                                  std::string_view mesh_id,
                                                  const GuestId& guest,
                                                  absl::Time now) {
  TROVE_ASSIGN_OR_RETURN(const CertificateProfile profile, GuestMeshProfile(mesh_id, guest));
  return IssueIdentity(mesh_authority, profile, now);
}

}  // namespace trove::identity
