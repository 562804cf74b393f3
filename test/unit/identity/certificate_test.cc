#include "libtrove/identity/certificate.h"

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "libtrove/identity/certificate_authority.h"
#include "libtrove/identity/csr.h"
#include "libtrove/identity/mesh_identity.h"
#include "libtrove/identity/spiffe.h"

namespace trove::identity {
namespace {

constexpr char kMesh[] = "0a1b2c3d";
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

CertificateAuthority MakeAuthority() {
  auto authority = CertificateAuthority::Create("Trove mesh 0a1b2c3d", kNow);
  REQUIRE(authority.ok());
  return *std::move(authority);
}

CertificateProfile ServerProfile() {
  CertificateProfile profile;
  profile.common_name = "db";
  profile.dns_names = {"db.example.org", "*.db.example.org"};
  profile.ip_addresses = {"192.0.2.7", "2001:db8::7"};
  profile.uris = {"spiffe://trove/0a1b2c3d/service/api"};
  profile.server_auth = true;
  profile.validity = absl::Hours(48);
  return profile;
}

PrivateKey NewKey(KeyKind kind = KeyKind::kP256) {
  auto key = PrivateKey::Generate(kind);
  REQUIRE(key.ok());
  return *std::move(key);
}

VerifyOptions At(absl::Time time) {
  VerifyOptions options;
  options.at = time;
  return options;
}

TEST_CASE("an authority is a root for ten years and lives on in its files", "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  const auto facts = ReadCertificate(authority.certificate_pem());
  REQUIRE(facts.ok());
  CHECK(facts->is_authority);
  CHECK(facts->common_name == "Trove mesh 0a1b2c3d");
  CHECK(facts->not_before == kNow - absl::Minutes(5));
  CHECK(facts->not_after > kNow + absl::Hours(24 * 3650));

  const auto again =
      CertificateAuthority::Load(authority.certificate_pem(), authority.private_key_pem());
  REQUIRE(again.ok());
  const auto issued = IssueServiceIdentity(*again, kMesh, "api", kNow);
  REQUIRE(issued.ok());
  CHECK(VerifyCertificate(issued->certificate_pem, authority.certificate_pem(), At(kNow)).ok());
}

TEST_CASE("an authority is not loaded with another's key or a leaf", "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  const CertificateAuthority other = MakeAuthority();
  CHECK(absl::IsFailedPrecondition(
      CertificateAuthority::Load(authority.certificate_pem(), other.private_key_pem()).status()));
  const auto leaf = IssueServiceIdentity(authority, kMesh, "api", kNow);
  REQUIRE(leaf.ok());
  CHECK(absl::IsInvalidArgument(
      CertificateAuthority::Load(leaf->certificate_pem, leaf->key_pem).status()));
  CHECK(absl::IsInvalidArgument(
      CertificateAuthority::Load("junk", authority.private_key_pem()).status()));
}

TEST_CASE("a certificate says what the profile says and nothing of the request",
          "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  const PrivateKey key = NewKey(GENERATE(KeyKind::kP256, KeyKind::kEd25519));
  const auto csr = MakeCsr(key, "spiffe://trove/0a1b2c3d/service/taskmanager");
  REQUIRE(csr.ok());
  const auto pem = authority.Issue(*csr, ServerProfile(), kNow);
  REQUIRE(pem.ok());
  const auto facts = ReadCertificate(*pem);
  REQUIRE(facts.ok());
  CHECK(facts->common_name == "db");
  CHECK(facts->dns_names == std::vector<std::string>{"db.example.org", "*.db.example.org"});
  CHECK(facts->ip_addresses == std::vector<std::string>{"192.0.2.7", "2001:db8::7"});
  CHECK(facts->uris == std::vector<std::string>{"spiffe://trove/0a1b2c3d/service/api"});
  CHECK(facts->not_before == kNow - absl::Minutes(5));
  CHECK(facts->not_after == kNow + absl::Hours(48));
  CHECK_FALSE(facts->is_authority);
  const auto certified = KeyOfCertificate(*pem);
  REQUIRE(certified.ok());
  CHECK(certified->Raw() == key.public_key().Raw());
}

TEST_CASE("a request must be signed by the key it asks a certificate for", "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  const auto csr = MakeCsr(NewKey(), "guest");
  REQUIRE(csr.ok());
  REQUIRE(CheckCsr(*csr).ok());

  // Flip letters near the end, inside the signature, until one still decodes.
  bool refused = false;
  for (std::size_t back = 60; back < 110; ++back) {
    std::string forged = *csr;
    char& letter = forged[forged.size() - back];
    if (letter == '\n' || letter == '=' || letter == '-') continue;
    letter = letter == 'A' ? 'B' : 'A';
    const absl::Status status = CheckCsr(forged).status();
    CAPTURE(back, status.ToString());
    CHECK_FALSE(status.ok());
    CHECK_FALSE(authority.Issue(forged, ServerProfile(), kNow).ok());
    refused = refused || absl::IsUnauthenticated(status);
  }
  CHECK(refused);
  CHECK(absl::IsInvalidArgument(CheckCsr("not a request").status()));
  CHECK(absl::IsFailedPrecondition(MakeCsr(NewKey(KeyKind::kX25519), "x").status()));
}

TEST_CASE("a profile that would make a wrong certificate is refused", "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  CertificateProfile profile = ServerProfile();
  SECTION("no common name") {
    profile.common_name = "";
  }
  SECTION("a common name that is too long") {
    profile.common_name = std::string(65, 'x');
  }
  SECTION("a host name with more in it") {
    profile.dns_names = {"a.example.org,DNS:evil"};
  }
  SECTION("an empty host name") {
    profile.dns_names = {""};
  }
  SECTION("an address that is none") {
    profile.ip_addresses = {"192.0.2.700"};
  }
  SECTION("a URI with a space") {
    profile.uris = {"spiffe://trove/ x"};
  }
  SECTION("no use") {
    profile.server_auth = false;
  }
  SECTION("no time") {
    profile.validity = absl::ZeroDuration();
  }
  CHECK(absl::IsInvalidArgument(
      authority.IssueForKey(NewKey().public_key(), profile, kNow).status()));
}

TEST_CASE("a certificate does not outlive its authority", "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  CertificateProfile profile = ServerProfile();
  profile.validity = absl::Hours(24) * 36500;
  const auto pem = authority.IssueForKey(NewKey().public_key(), profile, kNow);
  REQUIRE(pem.ok());
  CHECK(ReadCertificate(*pem)->not_after ==
        ReadCertificate(authority.certificate_pem())->not_after);
}

TEST_CASE("a chain is verified for its root, time, use and name", "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  const CertificateAuthority other = MakeAuthority();
  const auto pem = authority.IssueForKey(NewKey().public_key(), ServerProfile(), kNow);
  REQUIRE(pem.ok());
  const std::string& root = authority.certificate_pem();

  VerifyOptions options = At(kNow);
  options.use = CertificateUse::kServer;
  options.dns_name = "db.example.org";
  CHECK(VerifyCertificate(*pem, root, options).ok());
  CHECK(VerifyCertificate(*pem, other.certificate_pem() + root, options).ok());
  CHECK(VerifyCertificate(*pem, root, At(kNow - absl::Minutes(4))).ok());
  CHECK(VerifyCertificate(*pem, root, At(kNow + absl::Hours(47))).ok());

  CHECK(absl::IsUnauthenticated(VerifyCertificate(*pem, other.certificate_pem(), options)));
  CHECK(absl::IsUnauthenticated(VerifyCertificate(*pem, root, At(kNow - absl::Minutes(6)))));
  CHECK(absl::IsUnauthenticated(VerifyCertificate(*pem, root, At(kNow + absl::Hours(49)))));
  options.dns_name = "db.example.com";
  CHECK(absl::IsUnauthenticated(VerifyCertificate(*pem, root, options)));
  options = At(kNow);
  options.use = CertificateUse::kClient;
  CHECK(absl::IsUnauthenticated(VerifyCertificate(*pem, root, options)));
  CHECK(absl::IsInvalidArgument(VerifyCertificate(*pem, "", options)));
  CHECK(absl::IsInvalidArgument(VerifyCertificate("", root, options)));
}

TEST_CASE("a leaf cannot act as an authority", "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  const auto leaf = IssueServiceIdentity(authority, kMesh, "api", kNow);
  REQUIRE(leaf.ok());
  const auto below = IssueServiceIdentity(authority, kMesh, "conductor", kNow);
  REQUIRE(below.ok());
  CHECK(absl::IsUnauthenticated(
      VerifyCertificate(below->certificate_pem, leaf->certificate_pem, At(kNow))));
}

TEST_CASE("a service and a guest are issued their mesh identity", "[unit][identity]") {
  const CertificateAuthority authority = MakeAuthority();
  const GuestId guest("0b0e7c1a-8f5e-4a55-9d36-0d2f8a1c9e77");
  const auto service = IssueServiceIdentity(authority, kMesh, "taskmanager", kNow);
  const auto agent = IssueGuestIdentity(authority, kMesh, guest, kNow);
  REQUIRE(service.ok());
  REQUIRE(agent.ok());
  CHECK(service->authority_pem == authority.certificate_pem());

  const auto service_facts = ReadCertificate(service->certificate_pem);
  const auto agent_facts = ReadCertificate(agent->certificate_pem);
  REQUIRE(service_facts.ok());
  REQUIRE(agent_facts.ok());
  CHECK(service_facts->serial != agent_facts->serial);
  CHECK(IdentifyPeer(service_facts->uris, kMesh)->IsService("taskmanager"));
  CHECK(IdentifyPeer(agent_facts->uris, kMesh)->IsGuest(guest));

  VerifyOptions options = At(kNow);
  options.use = GENERATE(CertificateUse::kServer, CertificateUse::kClient);
  options.dns_name = "taskmanager.trove.internal";
  CHECK(VerifyCertificate(service->certificate_pem, authority.certificate_pem(), options).ok());
  options.dns_name = GuestDnsName(guest);
  CHECK(VerifyCertificate(agent->certificate_pem, authority.certificate_pem(), options).ok());

  const auto key = PrivateKey::FromPem(agent->key_pem);
  REQUIRE(key.ok());
  CHECK(key->public_key().Raw() == KeyOfCertificate(agent->certificate_pem)->Raw());
  CHECK_FALSE(IssueServiceIdentity(authority, "MESH", "api", kNow).ok());
  CHECK_FALSE(IssueGuestIdentity(authority, kMesh, GuestId("x"), kNow).ok());
}

}  // namespace
}  // namespace trove::identity
