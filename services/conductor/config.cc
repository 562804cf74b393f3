#include "services/conductor/config.h"

#include <utility>

#include "libtrove/base/config.h"
#include "libtrove/base/status_macros.h"

namespace trove::conductor {

absl::StatusOr<bool> LoadConfig(int argc, const char* const* argv, Config* config) {
  ConfigLoader loader("conductor", "the way from guests to the store");
  service::AddServiceKeys(loader, &config->service);
  loader.Add("enrol_listen", &config->enrol_listen, "host:port where new guests enrol");
  loader.Add("mesh_ca_key", &config->mesh_ca_key, "PEM file: key of the mesh's authority");
  loader.Add("endpoint_ca", &config->endpoint_ca, "PEM file: authority of the databases");
  loader.Add("endpoint_ca_key", &config->endpoint_ca_key, "PEM file: its key");
  loader.Add("nats_account", &config->nats_account, "file: public key of the bus account");
  loader.Add("nats_signing_key", &config->nats_signing_key, "file: seed that admits to it");
  loader.Add(
      "job_public_key", &config->job_public_key, "PEM file: key that guests check jobs with");
  loader.Add("guest_validity_days",
             &config->guest_validity_days,
             "how long a guest's certificates and bus credentials are good, in days");
  loader.Add("heartbeat_expiry_ms",
             &config->heartbeat_expiry_ms,
             "a guest not heard for so long is silent, 1000 to 600000");
  TROVE_ASSIGN_OR_RETURN(const bool run, loader.Load(argc, argv));
  if (!run) return false;
  TROVE_RETURN_IF_ERROR(service::CheckServiceConfig(config->service));
  const std::pair<const char*, const std::string*> needed[] = {
      {"mesh_ca_key", &config->mesh_ca_key},
      {"endpoint_ca", &config->endpoint_ca},
      {"endpoint_ca_key", &config->endpoint_ca_key},
      {"nats_account", &config->nats_account},
      {"nats_signing_key", &config->nats_signing_key},
      {"job_public_key", &config->job_public_key}};
  for (const auto& [key, value] : needed) {
    if (value->empty()) return absl::InvalidArgumentError(std::string(key) + " is missing");
  }
  if (config->heartbeat_expiry_ms < 1000 || config->heartbeat_expiry_ms > 600'000) {
    return absl::InvalidArgumentError("heartbeat_expiry_ms must be 1000 to 600000");
  }
  if (config->guest_validity_days < 1) {
    return absl::InvalidArgumentError("guest_validity_days must be at least 1");
  }
  return true;
}

}  // namespace trove::conductor
