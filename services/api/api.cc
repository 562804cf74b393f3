#include "services/api/api.h"

namespace trove::api {
namespace {

std::string SourceOf(const std::string& mesh_id) {
  return "/trove/" + mesh_id;
}

}  // namespace

Api::Api(const Base& base, const Options& options, const Log& log)
    : audit_log_(base.store, log, options.audit),
      requests_(base.store, base.master_key, audit_log_),
      authenticator_(base.store, base.clock),
      gate_(authenticator_),
      operation_watcher_(base.store),
      event_watcher_(base.store, SourceOf(options.mesh_id)),
      event_wake_(base.bus, operation_watcher_, event_watcher_),
      instances_(base.store, base.bus, base.clock, base.master_key, requests_, options.rules),
      catalogue_(base.store),
      operations_(base.store, base.bus, requests_, operation_watcher_),
      configurations_(
          base.store, requests_, options.rules.manifests, options.rules.default_datastore),
      events_(base.store, event_watcher_, SourceOf(options.mesh_id)),
      audit_records_(base.store),
      tokens_(base.store, base.clock, base.master_key, requests_),
      writers_("writers", options.writers, kWaitingWrites),
      entrance_(gate_, audit_log_, writers_),
      instance_service_(entrance_, instances_),
      datastore_service_(entrance_, catalogue_),
      flavor_service_(entrance_, catalogue_),
      limits_service_(entrance_, catalogue_),
      operation_service_(entrance_, operations_),
      configuration_service_(entrance_, configurations_),
      event_service_(entrance_, events_),
      audit_service_(entrance_, audit_records_),
      token_service_(entrance_, tokens_) {}

std::vector<rpc::ServedService> Api::services() {
  return {rpc::Serve<v1::InstanceService>(instance_service_),
          rpc::Serve<v1::DatastoreService>(datastore_service_),
          rpc::Serve<v1::FlavorService>(flavor_service_),
          rpc::Serve<v1::LimitsService>(limits_service_),
          rpc::Serve<v1::OperationService>(operation_service_),
          rpc::Serve<v1::ConfigurationService>(configuration_service_),
          rpc::Serve<v1::EventService>(event_service_),
          rpc::Serve<v1::AuditService>(audit_service_),
          rpc::Serve<v1::TokenService>(token_service_)};
}

}  // namespace trove::api
