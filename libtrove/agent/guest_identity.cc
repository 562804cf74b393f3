#include "libtrove/agent/guest_identity.h"

#include <poll.h>

#include <string_view>
#include <utility>
#include <vector>

#include "trove/mesh/v1/conductor.grpc.pb.h"

#include "libtrove/base/backoff.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/csr.h"
#include "libtrove/identity/derive.h"
#include "libtrove/identity/nkey.h"
#include "libtrove/identity/spiffe.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/rpc/outgoing_call.h"

namespace trove::agent {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kAttempt = absl::Seconds(5);
constexpr BackoffPolicy kRetry = {absl::Milliseconds(50), absl::Seconds(2)};
constexpr int kWaitSliceMs = 20;  // how late a stop may be noticed

// Keys of a guest that may not have enrolled yet.
struct Keys {
  identity::PrivateKey mesh;
  identity::PrivateKey endpoint;
  identity::PrivateKey sealing;
  identity::NKey nkey;
};

absl::StatusOr<identity::PrivateKey> LoadOrMakeKey(const fs::path& path, identity::KeyKind kind) {
  const absl::StatusOr<std::string> pem = ReadFile(path);
  if (pem.ok()) return identity::PrivateKey::FromPem(Secret(*pem));
  if (!absl::IsNotFound(pem.status())) return pem.status();
  TROVE_ASSIGN_OR_RETURN(identity::PrivateKey key, identity::PrivateKey::Generate(kind));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(path, key.Pem().Reveal(), 0600));
  return key;
}

absl::StatusOr<identity::NKey> LoadOrMakeNKey(const fs::path& path) {
  const absl::StatusOr<std::string> seed = ReadFile(path);
  if (seed.ok()) return identity::NKey::FromSeed(Secret(*seed));
  if (!absl::IsNotFound(seed.status())) return seed.status();
  TROVE_ASSIGN_OR_RETURN(identity::NKey key, identity::NKey::Generate(identity::NKeyKind::kUser));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(path, key.seed().Reveal(), 0600));
  return key;
}

absl::StatusOr<Keys> LoadOrMakeKeys(const IdentityFiles& files) {
  TROVE_RETURN_IF_ERROR(MakeDirectory(files.folder, 0700));
  TROVE_ASSIGN_OR_RETURN(identity::PrivateKey mesh,
                         LoadOrMakeKey(files.mesh_key, identity::KeyKind::kP256));
  TROVE_ASSIGN_OR_RETURN(identity::PrivateKey endpoint,
                         LoadOrMakeKey(files.endpoint_key, identity::KeyKind::kP256));
  TROVE_ASSIGN_OR_RETURN(identity::PrivateKey sealing,
                         LoadOrMakeKey(files.sealing_key, identity::KeyKind::kX25519));
  TROVE_ASSIGN_OR_RETURN(identity::NKey nkey, LoadOrMakeNKey(files.nats_seed));
  return Keys{std::move(mesh), std::move(endpoint), std::move(sealing), std::move(nkey)};
}

absl::StatusOr<mesh::v1::EnrollRequest> MakeRequest(const AgentConfig& config, const Keys& keys) {
  mesh::v1::EnrollRequest request;
  request.set_guest_id(config.guest_id);
  TROVE_ASSIGN_OR_RETURN(std::string token, ReadFile(config.enrolment_token));
  while (!token.empty() && token.back() == '\n')
    token.pop_back();
  request.set_token(token);
  TROVE_ASSIGN_OR_RETURN(*request.mutable_mesh_csr_pem(),
                         identity::MakeCsr(keys.mesh, config.guest_id));
  TROVE_ASSIGN_OR_RETURN(*request.mutable_endpoint_csr_pem(),
                         identity::MakeCsr(keys.endpoint, config.guest_id));
  request.set_nkey_public(keys.nkey.public_key());
  request.set_sealing_public_key(keys.sealing.public_key().Raw());
  return request;
}

// Waits before the next attempt; fails when the call ends first.
absl::Status Pause(const Call& call, absl::Duration pause) {
  const absl::Time until = absl::Now() + pause;
  while (absl::Now() < until) {
    TROVE_RETURN_IF_ERROR(call.Check());
    ::poll(nullptr, 0, kWaitSliceMs);
  }
  return call.Check();
}

absl::StatusOr<mesh::v1::EnrollResponse> Enrol(const Call& call,
                                               const AgentConfig& config,
                                               const Keys& keys,
                                               const Log& log) {
  TROVE_ASSIGN_OR_RETURN(const std::string authority, ReadFile(config.mesh_ca));
  const auto conductor =
      identity::PeerIdentity{identity::PeerKind::kService, config.mesh_id, "conductor"};
  const auto channel = rpc::EnrolChannel(config.conductor_enrol_address, conductor, authority);
  const auto stub = mesh::v1::ConductorService::NewStub(channel);
  for (int attempt = 0;; ++attempt) {
    // The token is read anew: a later attempt of the provisioner may have brought another.
    TROVE_ASSIGN_OR_RETURN(const mesh::v1::EnrollRequest request, MakeRequest(config, keys));
    absl::StatusOr<mesh::v1::EnrollResponse> response =
        rpc::CallUnary(*stub,
                       &mesh::v1::ConductorService::Stub::Enroll,
                       call.Within(kAttempt),
                       request,
                       {.bearer_token = {}, .wait_for_server = true});
    const absl::Status& status = response.status();
    if (status.ok() || absl::IsInvalidArgument(status)) return response;
    log.Warning("enrolling is tried again", {{"attempt", attempt}, {"error", status}});
    TROVE_RETURN_IF_ERROR(Annotate(Pause(call, BackoffDelay(kRetry, attempt)), MessageOf(status)));
  }
}

absl::Status Keep(const IdentityFiles& files, const mesh::v1::EnrollResponse& response) {
  std::string job_keys;
  for (const mesh::v1::JobKey& key : response.job_keys())
    job_keys += key.public_key_pem() + "\n";
  const std::pair<const fs::path&, const std::string&> contents[] = {
      {files.mesh_certificate, response.mesh_certificate_pem()},
      {files.mesh_authority, response.mesh_ca_pem()},
      {files.endpoint_certificate, response.endpoint_certificate_pem()},
      {files.endpoint_authority, response.endpoint_ca_pem()},
      {files.nats_jwt, response.nats_jwt()},
      {files.job_keys, job_keys}};
  for (const auto& [path, content] : contents) {
    TROVE_RETURN_IF_ERROR(WriteFileAtomically(path, content, 0600));
  }
  return WriteFileAtomically(files.complete, "", 0600);
}

// One PEM block after another.
std::vector<std::string> SplitPems(const std::string& text) {
  static constexpr std::string_view kEnd = "-----END PUBLIC KEY-----";
  std::vector<std::string> pems;
  std::size_t begin = 0;
  for (std::size_t end = text.find(kEnd); end != std::string::npos; end = text.find(kEnd, begin)) {
    pems.push_back(text.substr(begin, end + kEnd.size() - begin) + "\n");
    begin = end + kEnd.size();
  }
  return pems;
}

}  // namespace

Secret ServerPasswordOf(const identity::PrivateKey& sealing_key) {
  return identity::DeriveSecret(sealing_key.Pem(), "trove: the agent's account in its server");
}

IdentityFiles::IdentityFiles(const fs::path& guest_dir)
    : folder(guest_dir / "identity"),
      mesh_key(folder / "mesh.key"),
      mesh_certificate(folder / "mesh.crt"),
      mesh_authority(folder / "mesh-ca.pem"),
      endpoint_key(folder / "endpoint.key"),
      endpoint_certificate(folder / "endpoint.crt"),
      endpoint_authority(folder / "endpoint-ca.pem"),
      nats_seed(folder / "nats.nk"),
      nats_jwt(folder / "nats.jwt"),
      sealing_key(folder / "sealing.key"),
      job_keys(folder / "job-keys.pem"),
      complete(folder / "complete") {}

absl::StatusOr<GuestIdentity> LoadOrEnrol(const Call& call,
                                          const AgentConfig& config,
                                          const Log& log) {
  const IdentityFiles files(config.guest_dir);
  TROVE_ASSIGN_OR_RETURN(Keys keys, LoadOrMakeKeys(files));
  if (!fs::exists(files.complete)) {
    TROVE_ASSIGN_OR_RETURN(const mesh::v1::EnrollResponse response, Enrol(call, config, keys, log));
    TROVE_RETURN_IF_ERROR(Keep(files, response));
    // Used up; a file that cannot be removed holds nothing of worth.
    std::error_code ignored;
    fs::remove(config.enrolment_token, ignored);
    log.Info("enrolled");
  }
  TROVE_ASSIGN_OR_RETURN(const std::string job_keys, ReadFile(files.job_keys));
  TROVE_ASSIGN_OR_RETURN(identity::JobVerifier verifier,
                         identity::JobVerifier::FromPems(SplitPems(job_keys)));
  TROVE_ASSIGN_OR_RETURN(std::string jwt, ReadFile(files.nats_jwt));
  return GuestIdentity{.files = files,
                       .sealing_key = std::move(keys.sealing),
                       .job_verifier = std::move(verifier),
                       .nats = {.jwt = std::move(jwt), .seed = keys.nkey.seed()}};
}

}  // namespace trove::agent
