#include "services/gateway/change_call.h"

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "libtrove/identity/derive.h"
#include "services/gateway/calls.h"
#include "services/gateway/views/field_errors.h"
#include "services/gateway/views/instances.h"

namespace trove::gateway {
namespace {

using Stub = v1::InstanceService::Stub;

// One PUT or PATCH on its way.
class ChangeCall : public std::enable_shared_from_this<ChangeCall> {
 public:
  ChangeCall(ApiClient& api,
             InstanceChange change,
             const Asked& asked,
             const ApiCaller& caller,
             Outcome outcome)
      : api_(api),
        change_(std::move(change)),
        asked_(asked),
        caller_(caller),
        outcome_(std::move(outcome)) {}

  void Run() {
    switch (change_.kind) {
      case InstanceChange::Kind::kNone:
        return Rename();
      case InstanceChange::Kind::kAttach: {
        v1::AttachConfigurationRequest request;
        request.set_configuration_id(change_.value);
        return Begin(&Stub::async::AttachConfiguration, std::move(request));
      }
      case InstanceChange::Kind::kDetach:
        return Begin(&Stub::async::DetachConfiguration, v1::DetachConfigurationRequest());
      case InstanceChange::Kind::kUpgrade: {
        v1::UpgradeInstanceRequest request;
        request.set_datastore_version(change_.value);
        return Begin(&Stub::async::UpgradeInstance, std::move(request));
      }
    }
  }

 private:
  // What takes an operation.
  template <typename Owner, typename Request>
  void Begin(void (Owner::*method)(grpc::ClientContext*,
                                   const Request*,
                                   v1::Instance*,
                                   std::function<void(grpc::Status)>),
             std::type_identity_t<Request> request) {
    request.set_id(change_.id);
    Adopt(asked_, &request);
    CallApi(*api_.Next().instances,
            method,
            caller_,
            std::move(request),
            [self = shared_from_this()](absl::StatusOr<v1::Instance> instance, ApiAnswer answer) {
              if (instance.ok() && self->asked_.validate_only) {
                return self->outcome_(PlanOf(*instance), answer);
              }
              if (instance.ok() && self->change_.name.has_value()) return self->Rename();
              self->Finish(instance, answer);
            });
  }

  void Rename() {
    v1::UpdateInstanceRequest request;
    request.mutable_instance()->set_id(change_.id);
    request.mutable_instance()->set_name(*change_.name);
    request.mutable_update_mask()->add_paths("name");
    Adopt(asked_, &request);
    if (change_.kind != InstanceChange::Kind::kNone && !request.request_id().empty()) {
      // The key was spent on the other half: this one has a key that follows from it.
      request.set_request_id(identity::DeriveSecret(Secret(asked_.request_id), "rename").Reveal());
    }
    CallApi(*api_.Next().instances,
            &Stub::async::UpdateInstance,
            caller_,
            std::move(request),
            [self = shared_from_this()](const absl::StatusOr<v1::Instance>& instance,
                                        ApiAnswer answer) { self->Finish(instance, answer); });
  }

  void Finish(const absl::StatusOr<v1::Instance>& instance, ApiAnswer answer) {
    if (!instance.ok()) return outcome_(ChangeError(instance.status()), answer);
    outcome_(Share(AcceptedView(*instance, asked_)), answer);
  }

  ApiClient& api_;
  const InstanceChange change_;
  const Asked& asked_;
  const ApiCaller& caller_;
  const Outcome outcome_;
};

template <typename Document>
Endpoint Change(ApiClient& api,
                absl::StatusOr<InstanceChange> (*to_change)(const Document&, const Asked&)) {
  Endpoint endpoint;
  endpoint.request = &Document::default_instance();
  endpoint.serve = [=, &api](const google::protobuf::Message& document,
                             const Asked& asked,
                             const ApiCaller& caller,
                             Outcome outcome) {
    absl::StatusOr<InstanceChange> change =
        to_change(static_cast<const Document&>(document), asked);
    if (!change.ok()) return outcome(change.status(), {});
    std::make_shared<ChangeCall>(api, *std::move(change), asked, caller, std::move(outcome))->Run();
  };
  return endpoint;
}

}  // namespace

Endpoint UpdateCall(ApiClient& api) {
  return Change(api, ChangeOfUpdate);
}

Endpoint EditCall(ApiClient& api) {
  return Change(api, ChangeOfEdit);
}

}  // namespace trove::gateway
