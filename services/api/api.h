#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libtrove/base/clock.h"
#include "libtrove/base/executor.h"
#include "libtrove/base/log.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/sealing.h"
#include "libtrove/rpc/server.h"
#include "libtrove/store/store.h"
#include "services/api/audit_log.h"
#include "services/api/authenticator.h"
#include "services/api/event_wake.h"
#include "services/api/services.h"

namespace trove::api {

/// Everything that the api serves, wired together. Thread-safe.
class Api {
 public:
  /// What it stands on. All must outlive it.
  struct Base {
    Store& store;
    Bus& bus;
    const Clock& clock;
    const identity::MasterKey& master_key;
  };
  struct Options {
    std::string mesh_id;
    CreateRules rules;
    int writers = 16;  ///< writes under way at a time
    AuditLog::Options audit = {};
  };
  Api(const Base& base, const Options& options, const Log& log);

  /// For a server, which ends before this does.
  std::vector<rpc::ServedService> services();

 private:
  static constexpr std::size_t kWaitingWrites = 1024;

  AuditLog audit_log_;
  Requests requests_;
  Authenticator authenticator_;
  Gate gate_;
  OperationWatcher operation_watcher_;
  EventWatcher event_watcher_;
  EventWake event_wake_;

  Instances instances_;
  CatalogueReader catalogue_;
  Operations operations_;
  Configurations configurations_;
  Events events_;
  AuditRecords audit_records_;
  Tokens tokens_;

  Executor writers_;
  Entrance entrance_;
  InstanceService instance_service_;
  DatastoreService datastore_service_;
  FlavorService flavor_service_;
  LimitsService limits_service_;
  OperationService operation_service_;
  ConfigurationService configuration_service_;
  EventService event_service_;
  AuditService audit_service_;
  TokenService token_service_;
};

}  // namespace trove::api
