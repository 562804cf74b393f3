#include "tools/trovectl/launch/secrets.h"

#include <sys/stat.h>

#include <filesystem>

#include <absl/time/clock.h>
#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/identity/certificate.h"
#include "test/support/temporary_directory.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

class PreparedFolder {
 public:
  PreparedFolder() {
    fs::permissions(folder_.path(), fs::perms(0711));
    layout.data_dir = folder_ / "data";
    REQUIRE(PrepareLayout(layout).ok());
  }

 private:
  TemporaryDirectory folder_;

 public:
  Layout layout;
};

TEST_CASE("a mesh's secrets are made once", "[unit][trovectl]") {
  const PreparedFolder prepared;
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const auto first = EnsureSecrets(prepared.layout, now);
  REQUIRE(first.ok());
  const auto second = EnsureSecrets(prepared.layout, now + absl::Hours(1));
  REQUIRE(second.ok());
  CHECK(second->mesh_id == first->mesh_id);
  CHECK(second->made_at == now);
  CHECK(second->mesh_authority.certificate_pem() == first->mesh_authority.certificate_pem());
  CHECK(second->endpoint_authority.certificate_pem() ==
        first->endpoint_authority.certificate_pem());
  CHECK(second->nats.signing_key.public_key() == first->nats.signing_key.public_key());

  for (const auto& entry : fs::directory_iterator(prepared.layout.Secrets())) {
    CAPTURE(entry.path().string());
    CHECK((entry.status().permissions() & fs::perms(0077)) == fs::perms::none);
  }
  const auto ca = ReadFile(prepared.layout.EndpointCa());
  REQUIRE(ca.ok());
  CHECK(*ca == first->endpoint_authority.certificate_pem());
}

TEST_CASE("a mesh with a store does not get a secret that it has lost", "[unit][trovectl]") {
  const PreparedFolder prepared;
  REQUIRE(EnsureSecrets(prepared.layout, absl::Now()).ok());
  REQUIRE(WriteFileAtomically(prepared.layout.StoreFile(), "rows", 0600).ok());
  for (const char* name : {"master.key", "mesh-ca.key", "job-signing.key", "nats-signing.nk"}) {
    CAPTURE(name);
    const fs::path file = prepared.layout.Secret(name);
    fs::rename(file, file.string() + ".away");
    const absl::Status refused = EnsureSecrets(prepared.layout, absl::Now()).status();
    CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(MessageOf(refused).find(file.string()) != std::string::npos);
    fs::rename(file.string() + ".away", file);
  }
  CHECK(EnsureSecrets(prepared.layout, absl::Now()).ok());
}

TEST_CASE("services get certificates that their peers can check", "[unit][trovectl]") {
  const PreparedFolder prepared;
  const absl::Time now = absl::Now();
  const auto secrets = EnsureSecrets(prepared.layout, now);
  REQUIRE(secrets.ok());
  REQUIRE(IssueServiceFiles(prepared.layout, *secrets, "10.1.2.3", now).ok());
  for (const std::string service : {"api", "gateway", "taskmanager", "conductor", "trovectl"}) {
    CAPTURE(service);
    const fs::path folder = prepared.layout.Service(service);
    const auto certificate = ReadFile(folder / "mesh.crt");
    REQUIRE(certificate.ok());
    CHECK(identity::VerifyCertificate(*certificate,
                                      secrets->mesh_authority.certificate_pem(),
                                      {.use = identity::CertificateUse::kClient,
                                       .dns_name = service + ".trove.internal",
                                       .at = now})
              .ok());
    CHECK(fs::exists(folder / "nats.creds") == (service != "gateway"));
  }
  const auto shown = ReadFile(prepared.layout.Service("api") / "endpoint.crt");
  REQUIRE(shown.ok());
  const auto facts = identity::ReadCertificate(*shown);
  REQUIRE(facts.ok());
  CHECK(facts->ip_addresses == std::vector<std::string>{"127.0.0.1", "10.1.2.3"});
  CHECK(facts->dns_names == std::vector<std::string>{"localhost"});
}

TEST_CASE("credentials of the bus outlive a restart and certificates do not", "[unit][trovectl]") {
  const PreparedFolder prepared;
  const absl::Time now = absl::Now();
  const auto secrets = EnsureSecrets(prepared.layout, now);
  REQUIRE(secrets.ok());
  const fs::path folder = prepared.layout.Service("api");
  REQUIRE(IssueServiceFiles(prepared.layout, *secrets, "127.0.0.1", now).ok());
  const std::string credentials = ReadFile(folder / "nats.creds").value();
  const std::string certificate = ReadFile(folder / "mesh.crt").value();
  REQUIRE(IssueServiceFiles(prepared.layout, *secrets, "127.0.0.1", now).ok());
  CHECK(ReadFile(folder / "nats.creds").value() == credentials);
  CHECK(ReadFile(folder / "mesh.crt").value() != certificate);
}

}  // namespace
}  // namespace trove::trovectl
