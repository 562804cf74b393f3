#pragma once

#include <string>

#include <absl/status/status.h>

#include "libtrove/base/config.h"

namespace trove::service {

/// What every service must know to take part in a mesh. Files are PEM unless said otherwise.
struct ServiceConfig {
  std::string mesh_id;                 ///< 8 hex characters
  std::string store_path;              ///< the SQLite database
  std::string nats_url;                ///< `tls://host:port`
  std::string nats_creds;              ///< file with JWT and seed
  std::string mesh_ca;                 ///< file
  std::string mesh_cert;               ///< file
  std::string mesh_key;                ///< file
  std::string listen = "127.0.0.1:0";  ///< host:port of the mesh listener; port 0: a free one
  std::string log_level = "info";
};

/// Adds the keys of `config` to a service's loader, so that they have the same names everywhere:
/// mesh_id, store_path, nats_url, nats_creds, mesh_ca, mesh_cert, mesh_key, listen, log_level.
void AddServiceKeys(ConfigLoader& loader, ServiceConfig* config);

/// OK when everything that has no default is given. Errors: kInvalidArgument names the missing
/// keys.
absl::Status CheckServiceConfig(const ServiceConfig& config);

}  // namespace trove::service
