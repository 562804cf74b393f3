#include <cstdio>

#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/model/manifest.h"
#include "libtrove/rpc/serve_until_signal.h"
#include "libtrove/rpc/server.h"
#include "libtrove/service/connect.h"
#include "services/taskmanager/config.h"
#include "services/taskmanager/process/process_provisioner.h"
#include "services/taskmanager/task_manager.h"
#include "services/taskmanager/task_manager_service.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(30);
constexpr absl::Duration kRpcDrainLimit = absl::Seconds(2);

absl::Status ImportManifests(Store& store, const Config& config) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Manifest> manifests,
                         LoadManifests(config.manifests, config.datastores));
  Catalogue catalogue;
  for (const Manifest& manifest : manifests)
    catalogue.datastores.push_back(manifest.datastore);
  catalogue.flavors = DefaultFlavors();
  return store.ImportCatalogue(CallFor(kStartLimit), catalogue);
}

ProcessProvisionerOptions ProvisionerOptionsOf(const Config& config) {
  return {.mesh_id = config.service.mesh_id,
          .host = config.host,
          .data_dir = config.data_dir,
          .socket_dir = config.socket_dir,
          .programs = config.bin_dir,
          .claims_folder = config.claims_dir,
          .address = config.address,
          .ports = {config.port_first, config.port_last},
          .uids = {config.uid_first, config.uid_last},
          .heartbeat_interval_ms = config.heartbeat_interval_ms,
          .log_level = config.service.log_level};
}

absl::Status Run(const Config& config) {
  const Log log;
  const SystemClock clock;
  TROVE_ASSIGN_OR_RETURN(const auto store, service::OpenStore(config.service, clock, true));
  TROVE_RETURN_IF_ERROR(ImportManifests(*store, config));
  TROVE_ASSIGN_OR_RETURN(const auto bus, service::ConnectBus(config.service, "taskmanager", log));
  TROVE_ASSIGN_OR_RETURN(const auto provisioner,
                         ProcessProvisioner::Open(ProvisionerOptionsOf(config), log));
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
  options.engine.operations_per_host = config.operations_per_host;
  options.janitor.kept = {.operations = absl::Hours(24 * config.keep_operations_days),
                          .failed_inputs = absl::Hours(24 * config.keep_failed_inputs_days),
                          .audit = absl::Hours(24 * config.keep_audit_days)};
  options.reconcile_every = absl::Milliseconds(config.reconcile_interval_ms);
  TROVE_ASSIGN_OR_RETURN(
      const auto task_manager,
      TaskManager::Start(
          CallFor(kStartLimit), *store, *bus, *provisioner, clock, signer, master_key, options));
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
  return absl::OkStatus();
}

absl::Status Main(int argc, const char* const* argv) {
  Config config;
  TROVE_ASSIGN_OR_RETURN(const bool run, LoadConfig(argc, argv, &config));
  if (!run) return absl::OkStatus();
  LogLevel level = LogLevel::kInfo;
  TROVE_RETURN_IF_ERROR(ParseLogLevel(config.service.log_level, &level));
  StartLogging("taskmanager", level);
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
