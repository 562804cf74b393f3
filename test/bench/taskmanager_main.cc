// The task manager as it is, on a provisioner that makes nothing and guests that only talk: what is
// left of a create is our own part of it. Guests enrol at the real conductor with real certificate
// requests, and speak the real protocol on the real bus. Takes the place of trove-taskmanager in a
// mesh that scripts/bench starts.

#include <cstdio>
#include <filesystem>

#include "trove/mesh/v1/conductor.grpc.pb.h"

#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/bus/nats_bus.h"
#include "libtrove/identity/csr.h"
#include "libtrove/identity/nats_jwt.h"
#include "libtrove/identity/nkey.h"
#include "libtrove/model/manifest.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/rpc/outgoing_call.h"
#include "libtrove/rpc/serve_until_signal.h"
#include "libtrove/rpc/server.h"
#include "libtrove/service/connect.h"
#include "services/taskmanager/config.h"
#include "services/taskmanager/task_manager.h"
#include "services/taskmanager/task_manager_service.h"
#include "test/support/noop_provisioner.h"
#include "test/support/simulated_guests.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(30);
constexpr absl::Duration kRpcDrainLimit = absl::Seconds(2);

absl::Status ImportManifests(Store& store, const std::string& folder) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Manifest> manifests, LoadManifests(folder));
  Catalogue catalogue;
  for (const Manifest& manifest : manifests)
    catalogue.datastores.push_back(manifest.datastore);
  catalogue.flavors = DefaultFlavors();
  return store.ImportCatalogue(CallFor(kStartLimit), catalogue);
}

// All guests on one connection, which may do what each of them may.
absl::StatusOr<std::unique_ptr<Bus>> ConnectGuests(const Config& config, const Log& log) {
  const std::filesystem::path secrets = std::filesystem::path(config.data_dir) / "secrets";
  TROVE_ASSIGN_OR_RETURN(std::string seed, ReadFile(secrets / "nats-signing.nk"));
  while (!seed.empty() && seed.back() == '\n')
    seed.pop_back();
  TROVE_ASSIGN_OR_RETURN(const identity::NKey signing,
                         identity::NKey::FromSeed(Secret(std::move(seed))));
  TROVE_ASSIGN_OR_RETURN(std::string account, ReadFile(secrets / "nats-account.pub"));
  while (!account.empty() && account.back() == '\n')
    account.pop_back();
  TROVE_ASSIGN_OR_RETURN(const identity::NKey user,
                         identity::NKey::Generate(identity::NKeyKind::kUser));
  identity::NatsUserClaims claims;
  claims.name = "simulated-guests";
  claims.user = user.public_key();
  claims.account = account;
  claims.permissions.publish_allow = {">"};
  claims.permissions.subscribe_allow = {">"};
  TROVE_ASSIGN_OR_RETURN(std::string jwt, identity::MakeNatsUserJwt(signing, claims, absl::Now()));
  NatsBusOptions options;
  options.urls = {config.service.nats_url};
  options.name = "simulated-guests";
  options.authority_file = config.service.mesh_ca;
  options.credentials = identity::NatsCredentials{std::move(jwt), user.seed()};
  options.inbox_prefix = identity::NatsInboxPrefix("simulated-guests");
  options.wait_for_first_connection = true;
  options.log = log;
  return NatsBus::Connect(CallFor(kStartLimit), std::move(options));
}

// What an agent asks the conductor for when it starts, keys included.
absl::Status Enrol(const Call& call,
                   const std::shared_ptr<grpc::Channel>& conductor,
                   const SimulatedGuests::Enrolment& enrolment) {
  mesh::v1::EnrollRequest request;
  request.set_guest_id(enrolment.guest.value());
  request.set_token(enrolment.token.Reveal());
  for (std::string* csr : {request.mutable_mesh_csr_pem(), request.mutable_endpoint_csr_pem()}) {
    TROVE_ASSIGN_OR_RETURN(const identity::PrivateKey key,
                           identity::PrivateKey::Generate(identity::KeyKind::kP256));
    TROVE_ASSIGN_OR_RETURN(*csr, identity::MakeCsr(key, enrolment.guest.value()));
  }
  TROVE_ASSIGN_OR_RETURN(const identity::NKey nkey,
                         identity::NKey::Generate(identity::NKeyKind::kUser));
  request.set_nkey_public(nkey.public_key());
  request.set_sealing_public_key(enrolment.sealing_public_key);
  const auto stub = mesh::v1::ConductorService::NewStub(conductor);
  return rpc::CallUnary(*stub,
                        &mesh::v1::ConductorService::Stub::Enroll,
                        call,
                        request,
                        {.bearer_token = {}, .wait_for_server = true})
      .status();
}

absl::Status Run(const Config& config) {
  const Log log;
  const SystemClock clock;
  TROVE_ASSIGN_OR_RETURN(const auto store, service::OpenStore(config.service, clock, true));
  TROVE_RETURN_IF_ERROR(ImportManifests(*store, config.manifests));
  TROVE_ASSIGN_OR_RETURN(const auto bus, service::ConnectBus(config.service, "taskmanager", log));
  TROVE_ASSIGN_OR_RETURN(const auto guests_bus, ConnectGuests(config, log));
  TROVE_ASSIGN_OR_RETURN(const identity::MasterKey master_key,
                         identity::MasterKey::FromFile(config.master_key));
  TROVE_ASSIGN_OR_RETURN(std::string signing_pem, ReadFile(config.job_signing_key));
  TROVE_ASSIGN_OR_RETURN(const identity::JobSigner signer,
                         identity::JobSigner::FromPem(Secret(std::move(signing_pem))));
  TaskManager::Options options;
  options.mesh_id = config.service.mesh_id;
  options.mesh.conductor_enrol_address = config.conductor_enrol_address;
  options.mesh.nats_url = config.service.nats_url;
  TROVE_ASSIGN_OR_RETURN(options.mesh.mesh_ca_pem, ReadFile(config.service.mesh_ca));
  options.create_deadline = absl::Milliseconds(config.create_deadline_ms);
  options.engine.threads = config.workers;
  options.reconcile_every = absl::Milliseconds(config.reconcile_interval_ms);

  SimulatedGuests::Options guest_options;
  guest_options.heartbeat_every = absl::Milliseconds(config.heartbeat_interval_ms);
  TROVE_ASSIGN_OR_RETURN(guest_options.verifier,
                         identity::JobVerifier::FromPems({signer.public_key_pem()}));
  const identity::PeerIdentity conductor{
      identity::PeerKind::kService, config.service.mesh_id, "conductor"};
  guest_options.enrol = [&](const Call& call, const SimulatedGuests::Enrolment& enrolment) {
    // Each agent is a process of its own, with a handshake of its own.
    return Enrol(
        call,
        rpc::EnrolChannel(config.conductor_enrol_address, conductor, options.mesh.mesh_ca_pem),
        enrolment);
  };
  SimulatedGuests guests(*guests_bus, std::move(guest_options));
  TROVE_RETURN_IF_ERROR(guests.Listen(CallFor(kStartLimit)));
  NoopProvisioner provisioner;
  provisioner.SetWatcher(&guests);

  TROVE_ASSIGN_OR_RETURN(
      const auto task_manager,
      TaskManager::Start(
          CallFor(kStartLimit), *store, *bus, provisioner, clock, signer, master_key, options));
  TaskManagerService task_manager_service(*task_manager);
  TROVE_ASSIGN_OR_RETURN(const auto tls, service::OpenMeshTls(config.service));
  TROVE_ASSIGN_OR_RETURN(
      const auto server,
      rpc::Server::Start({.mesh_id = config.service.mesh_id,
                          .listeners = {{.address = config.service.listen, .tls = tls}}},
                         {rpc::Serve<mesh::v1::TaskManagerService>(task_manager_service)}));
  log.Info("serving", {{"mesh", server->address(0)}});
  TROVE_RETURN_IF_ERROR(rpc::ServeUntilSignal(*server, kRpcDrainLimit));
  task_manager->Drain(absl::Milliseconds(config.drain_limit_ms));
  provisioner.SetWatcher(nullptr);
  return absl::OkStatus();
}

absl::Status Main(int argc, const char* const* argv) {
  Config config;
  TROVE_ASSIGN_OR_RETURN(const bool run, LoadConfig(argc, argv, &config));
  if (!run) return absl::OkStatus();
  StartLogging("taskmanager", LogLevel::kInfo);
  return Run(config);
}

}  // namespace
}  // namespace trove::taskmanager

int main(int argc, char** argv) {
  trove::rpc::BlockTerminationSignals();
  const absl::Status status = trove::taskmanager::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "trove-taskmanager: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
