#include "services/taskmanager/workflows/server_settings.h"

namespace trove::taskmanager {

mesh::v1::ServerSettings ServerSettingsOf(const OperationTarget& target) {
  mesh::v1::ServerSettings settings;
  settings.set_memory_mib(target.flavor.ram_mib);
  settings.set_vcpus(target.flavor.vcpus);
  settings.set_address(target.endpoint.address);
  settings.set_port(target.endpoint.port);
  settings.set_engine(target.version.engine);
  settings.set_version_number(target.version.number);
  settings.set_volume_size_gib(target.volume.size_gib);
  if (target.configuration)
    settings.mutable_parameters()->insert(target.configuration->values.begin(),
                                          target.configuration->values.end());
  return settings;
}

}  // namespace trove::taskmanager
