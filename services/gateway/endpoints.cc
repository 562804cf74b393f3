#include "services/gateway/endpoints.h"

#include <utility>
#include <vector>

#include "libtrove/model/errors.h"
#include "services/gateway/calls.h"
#include "services/gateway/change_call.h"
#include "services/gateway/views/audit.h"
#include "services/gateway/views/configurations.h"
#include "services/gateway/views/datastores.h"
#include "services/gateway/views/events.h"
#include "services/gateway/views/field_errors.h"
#include "services/gateway/views/flavors.h"
#include "services/gateway/views/instances.h"
#include "services/gateway/views/limits.h"
#include "services/gateway/views/operations.h"
#include "services/gateway/views/versions.h"

namespace trove::gateway {
namespace {

using google::protobuf::Message;

Endpoint Versions() {
  return {
      .request = &rest::v1::ListVersionsRequest::default_instance(),
      .serve = [](const Message&, const Asked& asked, const ApiCaller&, const Outcome& outcome) {
        outcome(Share(VersionsView(asked)), {});
      }};
}

// This process is well when it answers; it is of use while the api serves.
Endpoint Health(ApiClient& api) {
  return {
      .request = &rest::v1::CheckHealthRequest::default_instance(),
      .serve = [&api](const Message&, const Asked&, const ApiCaller& asker, Outcome outcome) {
        // Whoever asks must hear soon that it is the api that hangs, and not this process.
        ApiCaller caller = asker;
        caller.call = asker.call.Within(absl::Milliseconds(500));
        namespace health = ::grpc::health::v1;
        CallApi(
            *api.Next().health,
            &health::Health::Stub::async::Check,
            caller,
            {},
            [outcome = std::move(outcome)](absl::StatusOr<health::HealthCheckResponse> response,
                                           ApiAnswer) {
              if (!response.ok() || response->status() != health::HealthCheckResponse::SERVING) {
                return outcome(MakeError(Reason::kUnavailable, "the api does not serve"), {});
              }
              rest::v1::CheckHealthResponse document;
              document.set_text("OK");
              outcome(Share(std::move(document)), {});
            });
      }};
}

using Add = std::function<void(const char* rpc, Endpoint endpoint)>;

// `class` below: the stubs have functions of those names too.

void AddCatalogue(ApiClient& api, const Add& add) {
  using Flavors = class v1::FlavorService::Stub::async;
  using Datastores = class v1::DatastoreService::Stub::async;
  using Limits = class v1::LimitsService::Stub::async;
  add("VersionService.ListVersions", Versions());
  add("VersionService.CheckHealth", Health(api));

  add("LimitService.ListLimits",
      OneCall(api, &ApiStubs::limits, &Limits::GetLimits, ToGetLimits, LimitsView));

  add("FlavorService.ListFlavors",
      OneCall(api, &ApiStubs::flavors, &Flavors::ListFlavors, ToListFlavors, FlavorsView));
  add("FlavorService.ShowFlavor",
      OneCall(api, &ApiStubs::flavors, &Flavors::GetFlavor, ToGetFlavor, FlavorView));
  add("FlavorService.ListVersionFlavors",
      OneCall(api, &ApiStubs::flavors, &Flavors::ListFlavors, ToListVersionFlavors, FlavorsView));

  add("DatastoreService.ListDatastores",
      OneCall(api,
              &ApiStubs::datastores,
              &Datastores::ListDatastores,
              ToListDatastores,
              DatastoresView));
  add("DatastoreService.ShowDatastore",
      OneCall(
          api, &ApiStubs::datastores, &Datastores::GetDatastore, ToGetDatastore, DatastoreView));
  add("DatastoreService.ListDatastoreVersions",
      OneCall(api,
              &ApiStubs::datastores,
              &Datastores::ListDatastoreVersions,
              ToListDatastoreVersions,
              DatastoreVersionsView));
  add("DatastoreService.ShowDatastoreVersion",
      OneCall(api,
              &ApiStubs::datastores,
              &Datastores::GetDatastoreVersion,
              ToGetDatastoreVersion,
              DatastoreVersionView));
  add("DatastoreService.ShowVersionById",
      OneCall(api,
              &ApiStubs::datastores,
              &Datastores::GetDatastoreVersion,
              ToGetVersionById,
              DatastoreVersionView,
              VersionByIdError));
}

void AddInstances(ApiClient& api, const Add& add) {
  using Instances = class v1::InstanceService::Stub::async;
  const auto list = OneCall(api,
                            &ApiStubs::instances,
                            &Instances::ListInstances,
                            ToListInstances,
                            InstancesView,
                            QueryError);
  add("InstanceService.ListInstances", list);
  add("InstanceService.ListInstancesDetailed", list);
  add("InstanceService.ShowInstance",
      OneCall(api, &ApiStubs::instances, &Instances::GetInstance, ToGetInstance, InstanceView));
  add("InstanceService.CreateInstance",
      OneCall(api,
              &ApiStubs::instances,
              &Instances::CreateInstance,
              ToCreateInstance,
              NewInstanceView,
              InstanceError));
  add("InstanceService.UpdateInstance", UpdateCall(api));
  add("InstanceService.EditInstance", EditCall(api));
  add("InstanceService.DeleteInstance",
      OneCall(
          api, &ApiStubs::instances, &Instances::DeleteInstance, ToDeleteInstance, AcceptedView));
  add("InstanceService.RestartInstance",
      OneCall(
          api, &ApiStubs::instances, &Instances::RestartInstance, ToRestartInstance, AcceptedView));
  add("InstanceService.ResizeVolume",
      OneCall(api,
              &ApiStubs::instances,
              &Instances::GrowVolume,
              ToGrowVolume,
              AcceptedView,
              ResizeError));
  add("InstanceService.ResizeFlavor",
      OneCall(api,
              &ApiStubs::instances,
              &Instances::ResizeInstance,
              ToResizeInstance,
              AcceptedView,
              ResizeError));
  add("ManagementService.StopInstance",
      OneCall(api, &ApiStubs::instances, &Instances::StopInstance, ToStopInstance, AcceptedView));
  add("ManagementService.StartInstance",
      OneCall(api, &ApiStubs::instances, &Instances::StartInstance, ToStartInstance, AcceptedView));
  add("ManagementService.RebootInstance",
      OneCall(api, &ApiStubs::instances, &Instances::RestartInstance, ToReboot, AcceptedView));
  add("ManagementService.RebuildInstance",
      OneCall(
          api, &ApiStubs::instances, &Instances::RebuildInstance, ToRebuildInstance, AcceptedView));
}

void AddConfigurations(ApiClient& api, const Add& add) {
  using Configurations = class v1::ConfigurationService::Stub::async;
  add("ConfigurationService.ListConfigurations",
      OneCall(api,
              &ApiStubs::configurations,
              &Configurations::ListConfigurations,
              ToListConfigurations,
              ConfigurationsView,
              QueryError));
  add("ConfigurationService.ShowConfiguration",
      OneCall(api,
              &ApiStubs::configurations,
              &Configurations::GetConfiguration,
              ToGetConfiguration,
              ConfigurationView));
  add("ConfigurationService.CreateConfiguration",
      OneCall(api,
              &ApiStubs::configurations,
              &Configurations::CreateConfiguration,
              ToCreateConfiguration,
              ConfigurationView,
              ConfigurationError));
  add("ConfigurationService.DeleteConfiguration",
      OneCall(api,
              &ApiStubs::configurations,
              &Configurations::DeleteConfiguration,
              ToDeleteConfiguration,
              DeletedView));
}

void AddOperations(ApiClient& api, const Add& add) {
  using Operations = class v1::OperationService::Stub::async;
  using Events = class v1::EventService::Stub::async;
  using Audit = class v1::AuditService::Stub::async;
  add("OperationService.ListOperations",
      OneCall(api,
              &ApiStubs::operations,
              &Operations::ListOperations,
              ToListOperations,
              OperationsView,
              QueryError));
  add("OperationService.ShowOperation",
      OneCall(
          api, &ApiStubs::operations, &Operations::GetOperation, ToGetOperation, OperationView));
  add("OperationService.WatchOperation",
      WatchCall(api,
                &ApiStubs::operations,
                &Operations::GetOperation,
                ToGetOperation,
                SeenToItsEnd,
                &Operations::WatchOperation,
                ToWatchOperation,
                OperationEvent));
  add("OperationService.CancelOperation",
      OneCall(api,
              &ApiStubs::operations,
              &Operations::CancelOperation,
              ToCancelOperation,
              OperationView));
  add("OperationService.RetryOperation",
      OneCall(api,
              &ApiStubs::operations,
              &Operations::RetryOperation,
              ToRetryOperation,
              OperationView));

  add("EventService.ListEvents",
      OneCall(api, &ApiStubs::events, &Events::ListEvents, ToListEvents, EventsView, QueryError));
  add("EventService.WatchEvents",
      WatchCall(api,
                &ApiStubs::events,
                &Events::ListEvents,
                ToCheckEvents,
                NothingToCome,
                &Events::WatchEvents,
                ToWatchEvents,
                CloudEventOf));

  add("AuditService.ListAuditRecords",
      OneCall(api,
              &ApiStubs::audit,
              &Audit::ListAuditRecords,
              ToListAuditRecords,
              AuditRecordsView,
              QueryError));
}

}  // namespace

Endpoints MakeEndpoints(ApiClient& api) {
  Endpoints endpoints;
  const Add add = [&endpoints](const char* rpc, Endpoint endpoint) {
    endpoints.emplace(std::string("trove.rest.v1.") + rpc, std::move(endpoint));
  };
  AddCatalogue(api, add);
  AddInstances(api, add);
  AddConfigurations(api, add);
  AddOperations(api, add);
  return endpoints;
}

std::vector<const google::protobuf::ServiceDescriptor*> BoundServices() {
  std::vector<const google::protobuf::ServiceDescriptor*> services;
  for (const google::protobuf::Descriptor* document : {rest::v1::Version::descriptor(),
                                                       rest::v1::Limit::descriptor(),
                                                       rest::v1::Flavor::descriptor(),
                                                       rest::v1::Datastore::descriptor(),
                                                       rest::v1::Instance::descriptor(),
                                                       rest::v1::Rebuild::descriptor(),
                                                       rest::v1::Configuration::descriptor(),
                                                       rest::v1::Operation::descriptor(),
                                                       rest::v1::CloudEvent::descriptor(),
                                                       rest::v1::AuditRecord::descriptor()}) {
    services.push_back(document->file()->service(0));
  }
  return services;
}

}  // namespace trove::gateway
