#include "services/conductor/enrolment.h"

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/identity/certificate.h"
#include "libtrove/identity/csr.h"
#include "libtrove/identity/keys.h"
#include "libtrove/identity/mesh_identity.h"
#include "libtrove/identity/spiffe.h"
#include "libtrove/identity/token.h"
#include "test/support/seeded_store.h"

namespace trove::conductor {
namespace {

constexpr char kMesh[] = "0123abcd";

Call SoonCall() {
  return CallFor(absl::Seconds(10));
}

// A guest's own keys, as its agent makes them.
struct GuestKeys {
  identity::PrivateKey mesh = identity::PrivateKey::Generate(identity::KeyKind::kP256).value();
  identity::PrivateKey endpoint = identity::PrivateKey::Generate(identity::KeyKind::kP256).value();
  identity::PrivateKey sealing = identity::PrivateKey::Generate(identity::KeyKind::kX25519).value();
  identity::NKey nkey = identity::NKey::Generate(identity::NKeyKind::kUser).value();
};

class Admission {
 public:
  Admission()
      : store_(OpenSeededStore(clock_)),
        authority_(identity::NatsAuthority::Generate().value()),
        mesh_(identity::CertificateAuthority::Create("mesh", absl::Now()).value()),
        endpoints_(identity::CertificateAuthority::Create("endpoints", absl::Now()).value()),
        job_key_(identity::PrivateKey::Generate(identity::KeyKind::kEd25519).value()),
        enrolment_(*store_,
                   clock_,
                   {mesh_,
                    endpoints_,
                    authority_.UserIssuer().value(),
                    job_key_.public_key().Fingerprint(),
                    job_key_.public_key().Pem()},
                   kMesh,
                   absl::Hours(24),
                   Log()) {
    const NewInstance wanted = NewSeededInstance("p1", "instance.create");
    guest_ = wanted.guest_id;
    instance_ = wanted.instance.id;
    REQUIRE(store_->CreateInstance(SoonCall(), SeededRequester("p1"), wanted).ok());
    REQUIRE(store_->RenewWorker(SoonCall(), WorkerId("w"), absl::Seconds(10)).ok());
    const auto claims = store_->ClaimDue(SoonCall(), WorkerId("w"), {});
    REQUIRE(claims.ok());
    REQUIRE(claims->operations.size() == 1);
    REQUIRE(store_
                ->WriteOperation(SoonCall(),
                                 WorkerId("w"),
                                 {.operation = claims->operations[0].operation,
                                  .effects = {AssignEndpoint{"127.0.0.1", 20001},
                                              SetEnrolmentToken{identity::HashToken(token_),
                                                                absl::Now() + absl::Hours(1)}}})
                .ok());
  }

  mesh::v1::EnrollRequest RequestOf(const GuestKeys& keys) const {
    mesh::v1::EnrollRequest request;
    request.set_guest_id(guest_.value());
    request.set_token(token_.Reveal());
    request.set_mesh_csr_pem(identity::MakeCsr(keys.mesh, "g").value());
    request.set_endpoint_csr_pem(identity::MakeCsr(keys.endpoint, "g").value());
    request.set_nkey_public(keys.nkey.public_key());
    request.set_sealing_public_key(keys.sealing.public_key().Raw());
    return request;
  }

  SystemClock clock_;
  std::unique_ptr<Store> store_;
  identity::NatsAuthority authority_;
  identity::CertificateAuthority mesh_;
  identity::CertificateAuthority endpoints_;
  identity::PrivateKey job_key_;
  const Secret token_ = identity::NewEnrolmentToken();
  Enrolment enrolment_;
  GuestId guest_;
  InstanceId instance_;
};

TEST_CASE("a guest with its token gets certificates that say who it is", "[unit][conductor]") {
  Admission admission;
  const GuestKeys keys;
  const auto answer = admission.enrolment_.Enroll(SoonCall(), admission.RequestOf(keys));
  REQUIRE(answer.ok());

  const auto mesh = identity::ReadCertificate(answer->mesh_certificate_pem());
  REQUIRE(mesh.ok());
  CHECK(identity::IdentifyPeer(mesh->uris, kMesh)->IsGuest(admission.guest_));
  CHECK(identity::VerifyCertificate(
            answer->mesh_certificate_pem(), answer->mesh_ca_pem(), {.at = absl::Now()})
            .ok());

  const auto endpoint = identity::ReadCertificate(answer->endpoint_certificate_pem());
  REQUIRE(endpoint.ok());
  CHECK(endpoint->common_name == admission.instance_.value());
  CHECK(endpoint->ip_addresses == std::vector<std::string>{"127.0.0.1"});
  CHECK(endpoint->uris.empty());
  CHECK(identity::VerifyCertificate(
            answer->endpoint_certificate_pem(), answer->endpoint_ca_pem(), {.at = absl::Now()})
            .ok());
  CHECK_FALSE(answer->nats_jwt().empty());
  REQUIRE(answer->job_keys_size() == 1);
  CHECK(answer->job_keys(0).key_id() == admission.job_key_.public_key().Fingerprint());
}

TEST_CASE("a lost answer is asked for again with the same keys", "[unit][conductor]") {
  Admission admission;
  const GuestKeys keys;
  REQUIRE(admission.enrolment_.Enroll(SoonCall(), admission.RequestOf(keys)).ok());
  CHECK(admission.enrolment_.Enroll(SoonCall(), admission.RequestOf(keys)).ok());
}

TEST_CASE("a token does not work for other keys", "[unit][conductor]") {
  Admission admission;
  REQUIRE(admission.enrolment_.Enroll(SoonCall(), admission.RequestOf(GuestKeys())).ok());
  CHECK(absl::IsUnauthenticated(
      admission.enrolment_.Enroll(SoonCall(), admission.RequestOf(GuestKeys())).status()));
}

TEST_CASE("nobody enrols with a wrong token, or as somebody else", "[unit][conductor]") {
  Admission admission;
  const GuestKeys keys;
  mesh::v1::EnrollRequest request = admission.RequestOf(keys);
  request.set_token("tre_wrong");
  CHECK(absl::IsUnauthenticated(admission.enrolment_.Enroll(SoonCall(), request).status()));
  request = admission.RequestOf(keys);
  request.set_guest_id("0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11");
  CHECK(absl::IsUnauthenticated(admission.enrolment_.Enroll(SoonCall(), request).status()));
}

TEST_CASE("a request that is none is refused before the token is used up", "[unit][conductor]") {
  Admission admission;
  const GuestKeys keys;
  for (int broken = 0; broken < 5; ++broken) {
    CAPTURE(broken);
    mesh::v1::EnrollRequest request = admission.RequestOf(keys);
    if (broken == 0) request.set_guest_id("not a uuid");
    if (broken == 1) request.set_mesh_csr_pem("garbage");
    if (broken == 2) request.clear_endpoint_csr_pem();
    if (broken == 3) request.set_nkey_public("Uwrong");
    if (broken == 4) request.set_sealing_public_key("short");
    CHECK(absl::IsInvalidArgument(admission.enrolment_.Enroll(SoonCall(), request).status()));
  }
  CHECK(admission.enrolment_.Enroll(SoonCall(), admission.RequestOf(keys)).ok());
}

}  // namespace
}  // namespace trove::conductor
