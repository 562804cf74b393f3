#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "libtrove/base/clock.h"
#include "libtrove/base/log.h"
#include "libtrove/bus/bus.h"
#include "libtrove/rpc/tls_source.h"
#include "libtrove/service/service_config.h"
#include "libtrove/store/store.h"

namespace trove::service {

/// The store that the configuration names. `checkpoint`: this process moves its log into it
/// (exactly one process on a host does).
absl::StatusOr<std::unique_ptr<Store>> OpenStore(const ServiceConfig& config,
                                                 const Clock& clock,
                                                 bool checkpoint);

/// The bus that the configuration names, as the service `name`. Does not wait for it: a bus that is
/// away must not keep a service from starting.
absl::StatusOr<std::unique_ptr<Bus>> ConnectBus(const ServiceConfig& config,
                                                const std::string& name,
                                                const Log& log);

/// The service's certificate, key and authority on the mesh.
absl::StatusOr<std::shared_ptr<const rpc::TlsSource>> OpenMeshTls(const ServiceConfig& config);

}  // namespace trove::service
