#include "libtrove/identity/job_signing.h"

#include <utility>

#include "libtrove/base/status_macros.h"

namespace trove::identity {
namespace {

constexpr std::string_view kDomain{"trove job v1\0", 13};

std::string WithDomain(std::string_view job) {
  return std::string(kDomain) + std::string(job);
}

absl::Status CheckKind(KeyKind kind) {
  if (kind == KeyKind::kEd25519) return absl::OkStatus();
  return absl::InvalidArgumentError("jobs are signed with Ed25519 keys alone");
}

}  // namespace

JobSigner::JobSigner(PrivateKey key)
    : key_(std::move(key)), key_id_(key_.public_key().Fingerprint()) {}

absl::StatusOr<JobSigner> JobSigner::Make(PrivateKey key) {
  TROVE_RETURN_IF_ERROR(CheckKind(key.kind()));
  return JobSigner(std::move(key));
}

absl::StatusOr<JobSigner> JobSigner::FromPem(const Secret& pem) {
  TROVE_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(pem));
  return Make(std::move(key));
}

absl::StatusOr<JobSignature> JobSigner::Sign(std::string_view job) const {
  TROVE_ASSIGN_OR_RETURN(std::string signature, key_.Sign(WithDomain(job)));
  return JobSignature{key_id_, std::move(signature)};
}

absl::StatusOr<JobVerifier> JobVerifier::FromPems(const std::vector<std::string>& public_key_pems) {
  if (public_key_pems.empty()) return absl::InvalidArgumentError("no key to check jobs with");
  JobVerifier verifier;
  for (const std::string& pem : public_key_pems) {
    TROVE_ASSIGN_OR_RETURN(const PublicKey key, PublicKey::FromPem(pem));
    TROVE_RETURN_IF_ERROR(verifier.Add(key));
  }
  return verifier;
}

absl::Status JobVerifier::Add(const PublicKey& key) {
  TROVE_RETURN_IF_ERROR(CheckKind(key.kind()));
  keys_.insert_or_assign(key.Fingerprint(), key);
  return absl::OkStatus();
}

absl::Status JobVerifier::Verify(std::string_view job, const JobSignature& signature) const {
  const auto key = keys_.find(signature.key_id);
  if (key == keys_.end()) {
    return absl::UnauthenticatedError("the job is signed by a key that is not known here");
  }
  return key->second.Verify(WithDomain(job), signature.signature);
}

}  // namespace trove::identity
