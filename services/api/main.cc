#include <cstdio>

#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/serve_until_signal.h"
#include "libtrove/rpc/server.h"
#include "libtrove/service/connect.h"
#include "services/api/api.h"
#include "services/api/config.h"

namespace trove::api {
namespace {

constexpr absl::Duration kDrainLimit = absl::Seconds(10);

absl::StatusOr<std::unique_ptr<rpc::Server>> Listen(
    const Config& config, const std::vector<rpc::ServedService>& services) {
  TROVE_ASSIGN_OR_RETURN(const auto mesh_tls, service::OpenMeshTls(config.service));
  TROVE_ASSIGN_OR_RETURN(
      const auto public_tls,
      rpc::TlsSource::Open(
          {.certificate = config.public_cert, .key = config.public_key, .authority = {}}));
  const rpc::ServerOptions options{
      .mesh_id = config.service.mesh_id,
      .listeners = {
          {.kind = rpc::ListenerKind::kMesh, .address = config.service.listen, .tls = mesh_tls},
          {.kind = rpc::ListenerKind::kPublic,
           .address = config.public_listen,
           .tls = public_tls}}};
  return rpc::Server::Start(options, services);
}

absl::Status Run(const Config& config) {
  const Log log;
  const SystemClock clock;
  TROVE_ASSIGN_OR_RETURN(const auto store, service::OpenStore(config.service, clock, false));
  TROVE_ASSIGN_OR_RETURN(const auto bus, service::ConnectBus(config.service, "api", log));
  TROVE_ASSIGN_OR_RETURN(const identity::MasterKey master_key,
                         identity::MasterKey::FromFile(config.master_key));
  TROVE_ASSIGN_OR_RETURN(std::vector<Manifest> manifests,
                         LoadManifests(config.manifests, config.datastores));
  Api api({.store = *store, .bus = *bus, .clock = clock, .master_key = master_key},
          {.mesh_id = config.service.mesh_id,
           .rules = {.manifests = std::move(manifests),
                     .default_datastore = config.default_datastore,
                     .most_volume_gib = config.most_volume_gib,
                     .region = config.region,
                     .time_limit = absl::Seconds(config.create_limit_s)},
           .writers = config.writers},
          log);
  TROVE_ASSIGN_OR_RETURN(const auto server, Listen(config, api.services()));
  log.Info("serving", {{"mesh", server->address(0)}, {"public", server->address(1)}});
  return rpc::ServeUntilSignal(*server, kDrainLimit);
}

absl::Status Main(int argc, const char* const* argv) {
  Config config;
  TROVE_ASSIGN_OR_RETURN(const bool run, LoadConfig(argc, argv, &config));
  if (!run) return absl::OkStatus();
  LogLevel level = LogLevel::kInfo;
  TROVE_RETURN_IF_ERROR(ParseLogLevel(config.service.log_level, &level));
  StartLogging("api", level);
  return Run(config);
}

}  // namespace
}  // namespace trove::api

int main(int argc, char** argv) {
  trove::rpc::BlockTerminationSignals();
  const absl::Status status = trove::api::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "trove-api: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
