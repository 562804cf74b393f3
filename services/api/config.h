#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "libtrove/service/service_config.h"

namespace trove::api {

struct Config {
  service::ServiceConfig service;
  std::string public_listen = "127.0.0.1:8780";  ///< host:port of the public gRPC listener
  std::string public_cert;                       ///< file: certificate of the public listener
  std::string public_key;                        ///< file: its key
  std::string master_key;                        ///< file of 32 bytes
  std::string manifests;                         ///< folder: <datastore>/manifest.yaml
  std::string datastores;                        ///< folder: versions installed by an operator
  std::string default_datastore = "mariadb";
  std::string region = "RegionOne";
  int most_volume_gib = 10;
  int create_limit_s = 600;  ///< a create that takes longer fails
  int writers = 16;          ///< writes under way at a time
};

/// False: there is nothing to run. Errors: kInvalidArgument names what is missing or wrong.
absl::StatusOr<bool> LoadConfig(int argc, const char* const* argv, Config* config);

}  // namespace trove::api
