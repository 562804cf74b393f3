#include "services/api/config.h"

#include <utility>

#include "libtrove/base/config.h"
#include "libtrove/base/status_macros.h"

namespace trove::api {

absl::StatusOr<bool> LoadConfig(int argc, const char* const* argv, Config* config) {
  ConfigLoader loader("api", "the public gRPC API");
  service::AddServiceKeys(loader, &config->service);
  loader.Add("public_listen", &config->public_listen, "host:port for tenants");
  loader.Add("public_cert", &config->public_cert, "PEM file: certificate shown to tenants");
  loader.Add("public_key", &config->public_key, "PEM file: its key");
  loader.Add("master_key", &config->master_key, "file of 32 bytes that seals secrets in the store");
  loader.Add("manifests", &config->manifests, "folder with <datastore>/manifest.yaml");
  loader.Add("datastores",
             &config->datastores,
             "folder with *.yaml of versions that an operator has installed; need not exist");
  loader.Add("default_datastore", &config->default_datastore, "used when none is asked for");
  loader.Add("region", &config->region, "the region that instances are shown in");
  loader.Add("most_volume_gib", &config->most_volume_gib, "largest volume of an instance, in GiB");
  loader.Add("create_limit_s", &config->create_limit_s, "a create that takes longer fails");
  loader.Add("writers", &config->writers, "writes under way at a time, 1 to 256");
  TROVE_ASSIGN_OR_RETURN(const bool run, loader.Load(argc, argv));
  if (!run) return false;
  TROVE_RETURN_IF_ERROR(service::CheckServiceConfig(config->service));
  const std::pair<const char*, const std::string*> needed[] = {
      {"public_cert", &config->public_cert},
      {"public_key", &config->public_key},
      {"master_key", &config->master_key},
      {"manifests", &config->manifests}};
  for (const auto& [key, value] : needed) {
    if (value->empty()) return absl::InvalidArgumentError(std::string(key) + " is missing");
  }
  if (config->writers < 1 || config->writers > 256) {
    return absl::InvalidArgumentError("writers must be 1 to 256");
  }
  if (config->create_limit_s < 10) {
    return absl::InvalidArgumentError("create_limit_s must be at least 10");
  }
  return true;
}

}  // namespace trove::api
