#include "libtrove/service/connect.h"

#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/bus/nats_bus.h"
#include "libtrove/identity/nats_jwt.h"
#include "libtrove/identity/nats_permissions.h"
#include "libtrove/store/sqlite_store.h"

namespace trove::service {

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const ServiceConfig& config,
                                                 const Clock& clock,
                                                 bool checkpoint) {
  return OpenSqliteStore({.path = config.store_path, .clock = &clock, .checkpoint = checkpoint});
}

absl::StatusOr<std::unique_ptr<Bus>> ConnectBus(const ServiceConfig& config,
                                                const std::string& name,
                                                const Log& log) {
  TROVE_ASSIGN_OR_RETURN(std::string text, ReadFile(config.nats_creds));
  absl::StatusOr<identity::NatsCredentials> credentials =
      identity::ParseNatsCreds(Secret(std::move(text)));
  if (!credentials.ok()) return Annotate(credentials.status(), config.nats_creds);
  NatsBusOptions options;
  options.urls = {config.nats_url};
  options.name = name;
  options.authority_file = config.mesh_ca;
  options.credentials = *std::move(credentials);
  options.inbox_prefix = identity::NatsInboxPrefix(name);
  options.log = log;
  return NatsBus::Connect(CallFor(absl::Seconds(10)), std::move(options));
}

absl::StatusOr<std::shared_ptr<const rpc::TlsSource>> OpenMeshTls(const ServiceConfig& config) {
  return rpc::TlsSource::Open(
      {.certificate = config.mesh_cert, .key = config.mesh_key, .authority = config.mesh_ca});
}

}  // namespace trove::service
