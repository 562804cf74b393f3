#include "libtrove/identity/job_signing.h"

#include <catch2/catch.hpp>

namespace trove::identity {
namespace {

JobSigner NewSigner() {
  auto key = PrivateKey::Generate(KeyKind::kEd25519);
  REQUIRE(key.ok());
  auto signer = JobSigner::Make(*std::move(key));
  REQUIRE(signer.ok());
  return *std::move(signer);
}

TEST_CASE("a job is verified by the key that signed it", "[unit][identity]") {
  const JobSigner signer = NewSigner();
  CHECK(signer.key_id().size() == 16);
  const auto verifier = JobVerifier::FromPems({signer.public_key_pem()});
  REQUIRE(verifier.ok());
  const auto signature = signer.Sign("job");
  REQUIRE(signature.ok());
  CHECK(verifier->Verify("job", *signature).ok());
  CHECK(absl::IsUnauthenticated(verifier->Verify("jab", *signature)));
  CHECK(absl::IsUnauthenticated(verifier->Verify("job", {signature->key_id, ""})));
}

TEST_CASE("a signature for another purpose is no job's", "[unit][identity]") {
  const auto key = PrivateKey::Generate(KeyKind::kEd25519);
  REQUIRE(key.ok());
  const auto verifier = JobVerifier::FromPems({key->public_key().Pem()});
  REQUIRE(verifier.ok());
  const auto signature = key->Sign("job");
  REQUIRE(signature.ok());
  CHECK(absl::IsUnauthenticated(
      verifier->Verify("job", {key->public_key().Fingerprint(), *signature})));
}

TEST_CASE("while a key takes over both are good, and nobody else's", "[unit][identity]") {
  const JobSigner old_signer = NewSigner();
  const JobSigner new_signer = NewSigner();
  const JobSigner foreign = NewSigner();
  const auto verifier =
      JobVerifier::FromPems({old_signer.public_key_pem(), new_signer.public_key_pem()});
  REQUIRE(verifier.ok());
  CHECK(verifier->Verify("job", *old_signer.Sign("job")).ok());
  CHECK(verifier->Verify("job", *new_signer.Sign("job")).ok());
  JobSignature signature = *foreign.Sign("job");
  CHECK(absl::IsUnauthenticated(verifier->Verify("job", signature)));
  signature.key_id = old_signer.key_id();
  CHECK(absl::IsUnauthenticated(verifier->Verify("job", signature)));
}

TEST_CASE("jobs are signed with Ed25519 alone", "[unit][identity]") {
  const auto key = PrivateKey::Generate(KeyKind::kP256);
  REQUIRE(key.ok());
  CHECK(absl::IsInvalidArgument(JobSigner::Make(*key).status()));
  CHECK(absl::IsInvalidArgument(JobVerifier::FromPems({key->public_key().Pem()}).status()));
  CHECK(absl::IsInvalidArgument(JobVerifier::FromPems({}).status()));
  CHECK(absl::IsInvalidArgument(JobSigner::FromPem(Secret("junk")).status()));
}

}  // namespace
}  // namespace trove::identity
