#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/status.h>

#include "trove/v1/instance.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/clock.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/sealing.h"
#include "libtrove/store/store.h"
#include "services/api/actions.h"
#include "services/api/instance_view.h"
#include "services/api/plan_create.h"
#include "services/api/policy.h"
#include "services/api/requests.h"

namespace trove::api {

/// What tenants do with instances: checks, one transaction of the store, and a hint to the task
/// managers. Knows nothing of gRPC. Thread-safe.
class Instances {
 public:
  /// All must outlive this object.
  Instances(Store& store,
            Bus& bus,
            const Clock& clock,
            const identity::MasterKey& master_key,
            const Requests& requests,
            CreateRules rules);

  // Reads.
  absl::Status Get(const Call& call,
                   const Caller& caller,
                   const v1::GetInstanceRequest& request,
                   v1::Instance* response);
  absl::Status List(const Call& call,
                    const Caller& caller,
                    const v1::ListInstancesRequest& request,
                    v1::ListInstancesResponse* response);

  // Writes. A bus that is away delays the work by a second at most and is no error. A request that
  // was accepted within the last day gets the answer that it got then.
  absl::Status Create(const Call& call,
                      const Caller& caller,
                      const v1::CreateInstanceRequest& request,
                      v1::Instance* response);
  absl::Status Update(const Call& call,
                      const Caller& caller,
                      const v1::UpdateInstanceRequest& request,
                      v1::Instance* response);

  /// Begins the action that a request of this type asks for (actions.h), or says what it would do.
  template <typename Request>
  absl::Status Act(const Call& call,
                   const Caller& caller,
                   const Request& request,
                   v1::Instance* response) {
    const auto plan = [&](const ActionScene& scene) {
      return PlanAction(scene, request);
    };
    return Begin(
        call, caller, request, InstanceId(request.id()), request.validate_only(), plan, response);
  }

 private:
  using Plan = std::function<Planned(const ActionScene&)>;

  absl::Status Begin(const Call& call,
                     const Caller& caller,
                     const google::protobuf::Message& request,
                     const InstanceId& id,
                     bool validate_only,
                     const Plan& plan,
                     v1::Instance* response);
  absl::Status FillActionPlan(const Call& call,
                              const InstanceView& view,
                              const PlannedAction& planned,
                              v1::OperationPlan* plan);
  absl::StatusOr<Requester> AskingFor(const Caller& caller,
                                      const google::protobuf::Message& request) const;
  // Whether the request was answered before: then that is the response.
  absl::StatusOr<bool> Repeated(const Call& call,
                                const Caller& caller,
                                const Requester& requester,
                                const std::string& resource,
                                v1::Instance* response);
  absl::Status Answer(const Call& call,
                      const Caller& caller,
                      const Accepted& accepted,
                      v1::Instance* response);
  void Fill(const InstanceView& view, const Caller& caller, v1::Instance* response) const;

  Store& store_;
  Bus& bus_;
  const Clock& clock_;
  const identity::MasterKey& master_key_;
  const Requests& requests_;
  const CreateRules rules_;
  // Shared with answers that the store has yet to make.
  const std::shared_ptr<const ConnectionSchemes> schemes_;
};

}  // namespace trove::api
