#include "libtrove/agent/job_checks.h"

#include <catch2/catch.hpp>

#include "libtrove/identity/keys.h"

namespace trove::agent {
namespace {

const GuestId kGuest("2c2f8f5e-0f8e-4a39-9f0c-3b9f6a1d2c11");
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

identity::JobSigner NewSigner() {
  return *identity::JobSigner::Make(*identity::PrivateKey::Generate(identity::KeyKind::kEd25519));
}

mesh::v1::Job GoodJob() {
  mesh::v1::Job job;
  job.set_id("operation/step/1");
  job.set_guest_id(kGuest.value());
  job.set_generation(1);
  job.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(kNow) + 60);
  job.mutable_restart();
  return job;
}

std::string Envelope(const identity::JobSigner& signer, const mesh::v1::Job& job) {
  mesh::v1::JobEnvelope envelope;
  envelope.set_job(job.SerializeAsString());
  const auto signature = signer.Sign(envelope.job());
  envelope.set_key_id(signature->key_id);
  envelope.set_signature(signature->signature);
  return envelope.SerializeAsString();
}

TEST_CASE("a job is taken whole or refused with the reason", "[unit][agent]") {
  using Change = std::function<void(mesh::v1::Job&)>;
  const auto [want, change] = GENERATE(table<std::string, Change>({
      {"", [](mesh::v1::Job&) {}},
      {"", [](mesh::v1::Job& job) { job.set_id("a-B_9/x/12"); }},
      {"MALFORMED", [](mesh::v1::Job& job) { job.clear_id(); }},
      {"MALFORMED", [](mesh::v1::Job& job) { job.set_id("../../etc/passwd"); }},
      {"MALFORMED", [](mesh::v1::Job& job) { job.set_id(std::string(201, 'a')); }},
      {"WRONG_GUEST", [](mesh::v1::Job& job) { job.set_guest_id("another"); }},
      {"UNKNOWN_KIND", [](mesh::v1::Job& job) { job.clear_kind(); }},
      {"UNKNOWN_KIND",
       [](mesh::v1::Job& job) {
         job.GetReflection()->MutableUnknownFields(&job)->AddVarint(99, 1);
       }},
      {"UNKNOWN_KIND",
       [](mesh::v1::Job& job) {
         auto* user = job.mutable_prepare()->add_users();
         user->GetReflection()->MutableUnknownFields(user)->AddVarint(99, 1);
       }},
      {"UNKNOWN_KIND",
       [](mesh::v1::Job& job) {
         auto* settings = job.mutable_configure()->mutable_settings();
         settings->GetReflection()->MutableUnknownFields(settings)->AddVarint(99, 1);
       }},
      {"",
       [](mesh::v1::Job& job) {
         auto* settings = job.mutable_configure()->mutable_settings();
         (*settings->mutable_parameters())["a"] = "1";
       }},
      {"EXPIRED",
       [](mesh::v1::Job& job) {
         job.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(kNow) - 1);
       }},
      {"EXPIRED", [](mesh::v1::Job& job) { job.clear_expires_at(); }},
  }));
  const identity::JobSigner signer = NewSigner();
  const auto verifier = identity::JobVerifier::FromPems({signer.public_key_pem()});
  REQUIRE(verifier.ok());
  mesh::v1::Job job = GoodJob();
  change(job);
  CAPTURE(job.ShortDebugString());
  const CheckedJob checked = CheckJob(Envelope(signer, job), kGuest, *verifier, kNow);
  CHECK(checked.refusal.reason() == want);
  CHECK(checked.refusal.refused().empty() == want.empty());
}

TEST_CASE("a job that somebody else signed, or nobody, is refused", "[unit][agent]") {
  const identity::JobSigner signer = NewSigner();
  const auto verifier = identity::JobVerifier::FromPems({signer.public_key_pem()});
  REQUIRE(verifier.ok());
  const auto reason = [&](const std::string& bytes) {
    return CheckJob(bytes, kGuest, *verifier, kNow).refusal.reason();
  };
  CHECK(reason(Envelope(NewSigner(), GoodJob())) == "BAD_SIGNATURE");
  CHECK(reason("") == "BAD_SIGNATURE");
  CHECK(reason("\xff\xff") == "MALFORMED");
  mesh::v1::JobEnvelope moved;
  REQUIRE(moved.ParseFromString(Envelope(signer, GoodJob())));
  mesh::v1::Job other = GoodJob();
  other.set_generation(7);
  moved.set_job(other.SerializeAsString());
  CHECK(reason(moved.SerializeAsString()) == "BAD_SIGNATURE");
}

}  // namespace
}  // namespace trove::agent
