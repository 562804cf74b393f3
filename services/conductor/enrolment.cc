#include "services/conductor/enrolment.h"

#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/secret.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/identity/csr.h"
#include "libtrove/identity/keys.h"
#include "libtrove/identity/mesh_identity.h"
#include "libtrove/identity/nkey.h"
#include "libtrove/identity/token.h"

namespace trove::conductor {
namespace {

absl::StatusOr<identity::CertificateAuthority> LoadAuthority(const std::string& certificate,
                                                             const std::string& key) {
  TROVE_ASSIGN_OR_RETURN(const std::string certificate_pem, ReadFile(certificate));
  TROVE_ASSIGN_OR_RETURN(std::string key_pem, ReadFile(key));
  return identity::CertificateAuthority::Load(certificate_pem, Secret(std::move(key_pem)));
}

absl::StatusOr<std::string> ReadLine(const std::string& path) {
  TROVE_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  return text;
}

// What an instance's own server shows to its clients.
identity::CertificateProfile EndpointProfile(const EnrolledGuest& enrolled) {
  identity::CertificateProfile profile;
  profile.common_name = enrolled.guest.instance_id.value();
  profile.dns_names = {enrolled.guest.instance_id.value() + ".db.trove.internal", "localhost"};
  profile.ip_addresses = {enrolled.endpoint.address};
  profile.server_auth = true;
  return profile;
}

}  // namespace

absl::StatusOr<EnrolmentKeys> LoadEnrolmentKeys(const Config& config) {
  TROVE_ASSIGN_OR_RETURN(identity::CertificateAuthority mesh,
                         LoadAuthority(config.service.mesh_ca, config.mesh_ca_key));
  TROVE_ASSIGN_OR_RETURN(identity::CertificateAuthority endpoints,
                         LoadAuthority(config.endpoint_ca, config.endpoint_ca_key));
  TROVE_ASSIGN_OR_RETURN(const std::string account, ReadLine(config.nats_account));
  TROVE_ASSIGN_OR_RETURN(std::string seed, ReadLine(config.nats_signing_key));
  TROVE_ASSIGN_OR_RETURN(const identity::NKey signing_key,
                         identity::NKey::FromSeed(Secret(std::move(seed))));
  TROVE_ASSIGN_OR_RETURN(identity::NatsUserIssuer bus,
                         identity::NatsUserIssuer::Make(signing_key, account));
  TROVE_ASSIGN_OR_RETURN(std::string job_pem, ReadFile(config.job_public_key));
  TROVE_ASSIGN_OR_RETURN(const identity::PublicKey job_key, identity::PublicKey::FromPem(job_pem));
  return EnrolmentKeys{std::move(mesh),
                       std::move(endpoints),
                       std::move(bus),
                       job_key.Fingerprint(),
                       std::move(job_pem)};
}

Enrolment::Enrolment(Store& store,
                     const Clock& clock,
                     EnrolmentKeys keys,
                     std::string mesh_id,
                     absl::Duration validity,
                     Log log)
    : store_(store),
      clock_(clock),
      keys_(std::move(keys)),
      mesh_id_(std::move(mesh_id)),
      validity_(validity),
      log_(std::move(log)) {}

absl::StatusOr<mesh::v1::EnrollResponse> Enrolment::Enroll(const Call& call,
                                                           const mesh::v1::EnrollRequest& request) {
  if (!IsUuid(request.guest_id())) return absl::InvalidArgumentError("guest_id must be a UUID");
  TROVE_ASSIGN_OR_RETURN(const identity::PublicKey mesh_key,
                         identity::CheckCsr(request.mesh_csr_pem()));
  TROVE_ASSIGN_OR_RETURN(const identity::PublicKey endpoint_key,
                         identity::CheckCsr(request.endpoint_csr_pem()));
  TROVE_RETURN_IF_ERROR(
      identity::CheckNKeyPublicKey(identity::NKeyKind::kUser, request.nkey_public()));
  TROVE_ASSIGN_OR_RETURN(
      const identity::PublicKey sealing_key,
      identity::PublicKey::FromRaw(identity::KeyKind::kX25519, request.sealing_public_key()));

  const EnrolmentRequest admission{
      .guest_id = GuestId(request.guest_id()),
      .token_hash = identity::HashToken(Secret(request.token())),
      .keys_fingerprint = mesh_key.Fingerprint() + endpoint_key.Fingerprint() +
                          sealing_key.Fingerprint() + request.nkey_public(),
      .sealing_public_key = request.sealing_public_key(),
      .nkey_public = request.nkey_public()};
  TROVE_ASSIGN_OR_RETURN(const EnrolledGuest enrolled, store_.EnrolGuest(call, admission));

  const absl::Time now = clock_.Now();
  TROVE_ASSIGN_OR_RETURN(identity::CertificateProfile mesh_profile,
                         identity::GuestMeshProfile(mesh_id_, admission.guest_id));
  mesh_profile.validity = validity_;
  identity::CertificateProfile endpoint_profile = EndpointProfile(enrolled);
  endpoint_profile.validity = validity_;

  mesh::v1::EnrollResponse response;
  TROVE_ASSIGN_OR_RETURN(*response.mutable_mesh_certificate_pem(),
                         keys_.mesh.IssueForKey(mesh_key, mesh_profile, now));
  response.set_mesh_ca_pem(keys_.mesh.certificate_pem());
  TROVE_ASSIGN_OR_RETURN(*response.mutable_endpoint_certificate_pem(),
                         keys_.endpoints.IssueForKey(endpoint_key, endpoint_profile, now));
  response.set_endpoint_ca_pem(keys_.endpoints.certificate_pem());
  TROVE_ASSIGN_OR_RETURN(
      *response.mutable_nats_jwt(),
      keys_.bus.GuestJwt(admission.guest_id, request.nkey_public(), now, validity_));
  mesh::v1::JobKey* job_key = response.add_job_keys();
  job_key->set_key_id(keys_.job_key_id);
  job_key->set_public_key_pem(keys_.job_public_key_pem);
  log_.Info("guest enrolled",
            {{"guest", request.guest_id()}, {"instance", enrolled.guest.instance_id.value()}});
  return response;
}

}  // namespace trove::conductor
