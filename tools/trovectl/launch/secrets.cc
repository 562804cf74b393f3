#include "tools/trovectl/launch/secrets.h"

#include <charconv>
#include <functional>
#include <system_error>
#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/secret.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/identity/job_signing.h"
#include "libtrove/identity/keys.h"
#include "libtrove/identity/mesh_identity.h"
#include "libtrove/identity/nats_jwt.h"
#include "libtrove/identity/sealing.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kPrivate = 0600;
constexpr mode_t kForAll = 0644;

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string WithoutNewline(std::string text) {
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

// Reads a secret, or makes it as long as nothing can depend on it.
class Keeper {
 public:
  explicit Keeper(const Layout& layout) : layout_(layout), new_mesh_(!Exists(layout.StoreFile())) {}

  absl::StatusOr<Secret> Ensure(const std::string& name,
                                const std::function<absl::StatusOr<Secret>()>& make) const {
    const fs::path path = layout_.Secret(name);
    absl::StatusOr<std::string> text = ReadFile(path);
    if (text.ok()) return Secret(*std::move(text));
    if (!absl::IsNotFound(text.status())) return text.status();
    if (!new_mesh_) {
      return absl::FailedPreconditionError(
          path.string() + " is missing, and the mesh cannot do without it: put it back from a " +
          "backup of the data directory");
    }
    TROVE_ASSIGN_OR_RETURN(Secret made, make());
    TROVE_RETURN_IF_ERROR(WriteFileAtomically(path, made.Reveal(), kPrivate));
    return made;
  }

  absl::StatusOr<identity::CertificateAuthority> EnsureAuthority(const std::string& name,
                                                                 const std::string& common_name,
                                                                 absl::Time now) const {
    // The certificate is written first, so that where there is a key there are both.
    const fs::path certificate = layout_.Secret(name + ".pem");
    TROVE_ASSIGN_OR_RETURN(
        const Secret key, Ensure(name + ".key", [&]() -> absl::StatusOr<Secret> {
          TROVE_ASSIGN_OR_RETURN(const identity::CertificateAuthority authority,
                                 identity::CertificateAuthority::Create(common_name, now));
          TROVE_RETURN_IF_ERROR(
              WriteFileAtomically(certificate, authority.certificate_pem(), kPrivate));
          return authority.private_key_pem();
        }));
    TROVE_ASSIGN_OR_RETURN(const std::string pem, ReadFile(certificate));
    absl::StatusOr<identity::CertificateAuthority> authority =
        identity::CertificateAuthority::Load(pem, key);
    if (!authority.ok()) return Annotate(authority.status(), certificate.string());
    return authority;
  }

  absl::StatusOr<Secret> EnsureSeed(const std::string& name, identity::NKeyKind kind) const {
    TROVE_ASSIGN_OR_RETURN(const Secret text, Ensure(name, [kind]() -> absl::StatusOr<Secret> {
                             TROVE_ASSIGN_OR_RETURN(const identity::NKey key,
                                                    identity::NKey::Generate(kind));
                             return Secret(key.seed().Reveal() + "\n");
                           }));
    return Secret(WithoutNewline(text.Reveal()));
  }

 private:
  const Layout& layout_;
  const bool new_mesh_;
};

absl::StatusOr<std::string> EnsureMeshId(const Layout& layout) {
  absl::StatusOr<std::string> id = ReadMeshId(layout);
  if (!absl::IsNotFound(id.status())) return id;
  if (Exists(layout.StoreFile())) {
    return absl::FailedPreconditionError(layout.MeshId().string() +
                                         " is missing: put it back from a backup");
  }
  std::string made = RandomHex(4);
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(layout.MeshId(), made + "\n", kForAll));
  return made;
}

absl::StatusOr<identity::NatsAuthority> EnsureNatsAuthority(const Layout& layout,
                                                            const Keeper& keeper) {
  using identity::NKeyKind;
  TROVE_ASSIGN_OR_RETURN(const Secret operator_seed,
                         keeper.EnsureSeed("nats-operator.nk", NKeyKind::kOperator));
  TROVE_ASSIGN_OR_RETURN(const Secret account_seed,
                         keeper.EnsureSeed("nats-account.nk", NKeyKind::kAccount));
  TROVE_ASSIGN_OR_RETURN(const Secret signing_seed,
                         keeper.EnsureSeed("nats-signing.nk", NKeyKind::kAccount));
  TROVE_ASSIGN_OR_RETURN(const Secret system_seed,
                         keeper.EnsureSeed("nats-system.nk", NKeyKind::kAccount));
  TROVE_ASSIGN_OR_RETURN(
      identity::NatsAuthority authority,
      identity::NatsAuthority::FromSeeds(operator_seed, account_seed, signing_seed, system_seed));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(
      layout.Secret("nats-account.pub"), authority.account_key.public_key() + "\n", kPrivate));
  return authority;
}

absl::Status EnsureJobKey(const Layout& layout, const Keeper& keeper) {
  TROVE_ASSIGN_OR_RETURN(
      const Secret pem, keeper.Ensure("job-signing.key", []() -> absl::StatusOr<Secret> {
        TROVE_ASSIGN_OR_RETURN(const identity::PrivateKey key,
                               identity::PrivateKey::Generate(identity::KeyKind::kEd25519));
        return key.Pem();
      }));
  TROVE_ASSIGN_OR_RETURN(const identity::JobSigner signer, identity::JobSigner::FromPem(pem));
  return WriteFileAtomically(layout.Secret("job-signing.pub"), signer.public_key_pem(), kPrivate);
}

// The bus wants to know since when accounts stand as they do; the answer must never change.
absl::StatusOr<absl::Time> EnsureMadeAt(const Keeper& keeper, absl::Time now) {
  TROVE_ASSIGN_OR_RETURN(const Secret text, keeper.Ensure("made-at", [now] {
    return Secret(std::to_string(absl::ToUnixSeconds(now)) + "\n");
  }));
  const std::string digits = WithoutNewline(text.Reveal());
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  if (error != std::errc() || end != digits.data() + digits.size())
    return absl::FailedPreconditionError("secrets/made-at does not hold a number of seconds");
  return absl::FromUnixSeconds(seconds);
}

absl::Status WriteIdentity(const fs::path& folder,
                           const std::string& name,
                           const identity::IssuedIdentity& issued) {
  TROVE_RETURN_IF_ERROR(
      WriteFileAtomically(folder / (name + ".key"), issued.key_pem.Reveal(), kPrivate));
  return WriteFileAtomically(folder / (name + ".crt"), issued.certificate_pem, kPrivate);
}

identity::CertificateProfile PublicProfile(const std::string& address) {
  identity::CertificateProfile profile;
  profile.common_name = "Trove";
  profile.dns_names = {"localhost"};
  profile.ip_addresses = {"127.0.0.1"};
  if (address != "127.0.0.1") profile.ip_addresses.push_back(address);
  profile.server_auth = true;
  profile.validity = identity::kServiceCertificateValidity;
  return profile;
}

absl::Status EnsureBusCredentials(const fs::path& file,
                                  const MeshSecrets& secrets,
                                  const std::string& service) {
  if (Exists(file)) return absl::OkStatus();
  TROVE_ASSIGN_OR_RETURN(const identity::NatsUserIssuer issuer, secrets.nats.UserIssuer());
  TROVE_ASSIGN_OR_RETURN(const identity::NatsCredentials credentials,
                         issuer.ServiceCredentials(service, secrets.made_at));
  return WriteFileAtomically(file, identity::NatsCredsText(credentials).Reveal(), kPrivate);
}

}  // namespace

absl::StatusOr<MeshSecrets> EnsureSecrets(const Layout& layout, absl::Time now) {
  TROVE_ASSIGN_OR_RETURN(std::string mesh_id, EnsureMeshId(layout));
  const Keeper keeper(layout);
  TROVE_ASSIGN_OR_RETURN(const Secret master_key, keeper.Ensure("master.key", [] {
    return identity::MasterKey::Generate().bytes();
  }));
  TROVE_RETURN_IF_ERROR(Annotate(identity::MasterKey::FromBytes(master_key).status(),
                                 layout.Secret("master.key").string()));
  TROVE_RETURN_IF_ERROR(EnsureJobKey(layout, keeper));
  TROVE_ASSIGN_OR_RETURN(const absl::Time made_at, EnsureMadeAt(keeper, now));
  TROVE_ASSIGN_OR_RETURN(identity::CertificateAuthority mesh_authority,
                         keeper.EnsureAuthority("mesh-ca", "Trove mesh " + mesh_id, now));
  TROVE_ASSIGN_OR_RETURN(identity::CertificateAuthority endpoint_authority,
                         keeper.EnsureAuthority("endpoint-ca", "Trove endpoints " + mesh_id, now));
  TROVE_ASSIGN_OR_RETURN(identity::NatsAuthority nats, EnsureNatsAuthority(layout, keeper));
  TROVE_RETURN_IF_ERROR(
      WriteFileAtomically(layout.EndpointCa(), endpoint_authority.certificate_pem(), kForAll));
  return MeshSecrets{std::move(mesh_id),
                     made_at,
                     std::move(mesh_authority),
                     std::move(endpoint_authority),
                     std::move(nats)};
}

absl::Status IssueServiceFiles(const Layout& layout,
                               const MeshSecrets& secrets,
                               const std::string& address,
                               absl::Time now) {
  const std::string& mesh_ca = secrets.mesh_authority.certificate_pem();
  for (const std::string service : {"api", "gateway", "taskmanager", "conductor", "trovectl"}) {
    const fs::path folder = layout.Service(service);
    TROVE_RETURN_IF_ERROR(MakeDirectory(folder, 0700));
    TROVE_ASSIGN_OR_RETURN(
        const identity::IssuedIdentity issued,
        identity::IssueServiceIdentity(secrets.mesh_authority, secrets.mesh_id, service, now));
    TROVE_RETURN_IF_ERROR(WriteIdentity(folder, "mesh", issued));
    TROVE_RETURN_IF_ERROR(WriteFileAtomically(folder / "mesh-ca.pem", mesh_ca, kPrivate));
    if (service != "gateway") {  // which has no business on the bus
      TROVE_RETURN_IF_ERROR(EnsureBusCredentials(folder / "nats.creds", secrets, service));
    }
    if (service == "api" || service == "gateway") {
      TROVE_ASSIGN_OR_RETURN(
          const identity::IssuedIdentity shown,
          identity::IssueIdentity(secrets.endpoint_authority, PublicProfile(address), now));
      TROVE_RETURN_IF_ERROR(WriteIdentity(folder, "endpoint", shown));
    }
  }
  TROVE_ASSIGN_OR_RETURN(const identity::CertificateProfile profile,
                         identity::NatsServerProfile(secrets.mesh_id));
  TROVE_ASSIGN_OR_RETURN(const identity::IssuedIdentity issued,
                         identity::IssueIdentity(secrets.mesh_authority, profile, now));
  TROVE_RETURN_IF_ERROR(WriteIdentity(layout.Nats(), "server", issued));
  return WriteFileAtomically(layout.Nats() / "mesh-ca.pem", mesh_ca, kPrivate);
}

}  // namespace trove::trovectl
