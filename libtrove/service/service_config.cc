#include "libtrove/service/service_config.h"

#include <string_view>
#include <utility>

#include "libtrove/identity/spiffe.h"

namespace trove::service {

void AddServiceKeys(ConfigLoader& loader, ServiceConfig* config) {
  loader.Add("mesh_id", &config->mesh_id, "id of the mesh, 8 hex characters");
  loader.Add("store_path", &config->store_path, "file of the SQLite database");
  loader.Add("nats_url", &config->nats_url, "where the bus is: tls://host:port");
  loader.Add("nats_creds", &config->nats_creds, "file with this service's credentials on the bus");
  loader.Add("mesh_ca", &config->mesh_ca, "file with the mesh's authority, PEM");
  loader.Add("mesh_cert", &config->mesh_cert, "file with this service's certificate, PEM");
  loader.Add("mesh_key", &config->mesh_key, "file with this service's private key, PEM");
  loader.Add("listen", &config->listen, "host:port of the mesh listener; port 0: a free one");
  loader.Add("log_level", &config->log_level, "debug, info, warning or error");
}

absl::Status CheckServiceConfig(const ServiceConfig& config) {
  std::string missing;
  for (const auto& [key, value] :
       {std::pair<std::string_view, const std::string&>{"mesh_id", config.mesh_id},
        {"store_path", config.store_path},
        {"nats_url", config.nats_url},
        {"nats_creds", config.nats_creds},
        {"mesh_ca", config.mesh_ca},
        {"mesh_cert", config.mesh_cert},
        {"mesh_key", config.mesh_key}}) {
    if (!value.empty()) continue;
    if (!missing.empty()) missing += ", ";
    missing += key;
  }
  if (!missing.empty())
    return absl::InvalidArgumentError("configuration: these keys must be given: " + missing);
  if (!identity::IsMeshId(config.mesh_id))
    return absl::InvalidArgumentError("configuration: mesh_id must be 8 lower-case hex characters");
  return absl::OkStatus();
}

}  // namespace trove::service
