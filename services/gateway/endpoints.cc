#include "services/gateway/endpoints.h"

#include <utility>
#include <vector>

#include "libtrove/model/errors.h"
#include "services/gateway/views/datastores.h"
#include "services/gateway/views/flavors.h"
#include "services/gateway/views/instance_errors.h"
#include "services/gateway/views/instances.h"
#include "services/gateway/views/limits.h"
#include "services/gateway/views/versions.h"

namespace trove::gateway {
namespace {

using google::protobuf::Message;

template <typename Document>
std::shared_ptr<const Message> Share(Document document) {
  return std::make_shared<const Document>(std::move(document));
}

absl::Status AsItIs(const absl::Status& status) {
  return status;
}

// The usual endpoint: document -> request, one call, response -> document.
template <typename Document,
          typename Answer,
          typename Stub,
          typename Owner,
          typename Request,
          typename Response>
Endpoint OneCall(ApiClient& api,
                 std::unique_ptr<Stub> ApiStubs::*stub,
                 void (Owner::*method)(grpc::ClientContext*,
                                       const Request*,
                                       Response*,
                                       std::function<void(grpc::Status)>),
                 absl::StatusOr<Request> (*to_api)(const Document&, const Asked&),
                 Answer (*to_view)(const Response&, const Asked&),
                 absl::Status (*to_error)(const absl::Status&) = AsItIs) {
  Endpoint endpoint;
  endpoint.request = &Document::default_instance();
  endpoint.serve =
      [=, &api](
          const Message& document, const Asked& asked, const ApiCaller& caller, Outcome outcome) {
        absl::StatusOr<Request> request = to_api(static_cast<const Document&>(document), asked);
        if (!request.ok()) return outcome(request.status(), {});
        CallApi(*(api.Next().*stub),
                method,
                caller,
                *std::move(request),
                [to_view, to_error, &asked, outcome = std::move(outcome)](
                    absl::StatusOr<Response> response, ApiAnswer answer) {
                  if (!response.ok()) return outcome(to_error(response.status()), answer);
                  outcome(Share(to_view(*response, asked)), answer);
                });
      };
  return endpoint;
}

// A PUT or PATCH: a rename, or nothing more than asking whether the instance is there.
template <typename Document>
Endpoint ChangeCall(ApiClient& api,
                    absl::StatusOr<InstanceChange> (*to_change)(const Document&, const Asked&)) {
  Endpoint endpoint;
  endpoint.request = &Document::default_instance();
  endpoint.serve =
      [=, &api](
          const Message& document, const Asked& asked, const ApiCaller& caller, Outcome outcome) {
        const absl::StatusOr<InstanceChange> change =
            to_change(static_cast<const Document&>(document), asked);
        if (!change.ok()) return outcome(change.status(), {});
        const auto accepted = [outcome = std::move(outcome), &asked](
                                  absl::StatusOr<v1::Instance> instance, ApiAnswer answer) {
          if (!instance.ok()) return outcome(instance.status(), answer);
          outcome(Share(AcceptedView(*instance, asked)), answer);
        };
        v1::InstanceService::Stub& stub = *api.Next().instances;
        if (!change->name.has_value()) {
          v1::GetInstanceRequest request;
          request.set_id(change->id);
          CallApi(stub,
                  &v1::InstanceService::Stub::async::GetInstance,
                  caller,
                  std::move(request),
                  accepted);
          return;
        }
        v1::UpdateInstanceRequest request;
        request.mutable_instance()->set_id(change->id);
        request.mutable_instance()->set_name(*change->name);
        request.mutable_update_mask()->add_paths("name");
        CallApi(stub,
                &v1::InstanceService::Stub::async::UpdateInstance,
                caller,
                std::move(request),
                accepted);
      };
  return endpoint;
}

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
      .serve = [&api](const Message&, const Asked&, const ApiCaller& caller, Outcome outcome) {
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

}  // namespace

Endpoints MakeEndpoints(ApiClient& api) {
  // `class`: the stub has a function of that name too.
  using Instances = class v1::InstanceService::Stub::async;
  using Flavors = class v1::FlavorService::Stub::async;
  using Datastores = class v1::DatastoreService::Stub::async;
  using Limits = class v1::LimitsService::Stub::async;

  Endpoints endpoints;
  const auto add = [&endpoints](const char* rpc, Endpoint endpoint) {
    endpoints.emplace(std::string("trove.rest.v1.") + rpc, std::move(endpoint));
  };
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

  const auto list =
      OneCall(api, &ApiStubs::instances, &Instances::ListInstances, ToListInstances, InstancesView);
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
  add("InstanceService.UpdateInstance", ChangeCall(api, ChangeOfUpdate));
  add("InstanceService.EditInstance", ChangeCall(api, ChangeOfEdit));
  add("InstanceService.DeleteInstance",
      OneCall(
          api, &ApiStubs::instances, &Instances::DeleteInstance, ToDeleteInstance, AcceptedView));
  add("InstanceService.RestartInstance",
      OneCall(
          api, &ApiStubs::instances, &Instances::RestartInstance, ToRestartInstance, AcceptedView));
  return endpoints;
}

std::vector<const google::protobuf::ServiceDescriptor*> BoundServices() {
  std::vector<const google::protobuf::ServiceDescriptor*> services;
  for (const google::protobuf::Descriptor* document : {rest::v1::Version::descriptor(),
                                                       rest::v1::Limit::descriptor(),
                                                       rest::v1::Flavor::descriptor(),
                                                       rest::v1::Datastore::descriptor(),
                                                       rest::v1::Instance::descriptor()}) {
    services.push_back(document->file()->service(0));
  }
  return services;
}

}  // namespace trove::gateway
