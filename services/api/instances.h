#pragma once

#include <absl/status/status.h>

#include "trove/v1/instance.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/clock.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/sealing.h"
#include "libtrove/store/store.h"
#include "services/api/instance_view.h"
#include "services/api/plan_create.h"
#include "services/api/policy.h"

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

  // Writes. A bus that is away delays the work by a second at most and is no error.
  absl::Status Create(const Call& call,
                      const Caller& caller,
                      const v1::CreateInstanceRequest& request,
                      v1::Instance* response);
  absl::Status Update(const Call& call,
                      const Caller& caller,
                      const v1::UpdateInstanceRequest& request,
                      v1::Instance* response);
  absl::Status Delete(const Call& call,
                      const Caller& caller,
                      const v1::DeleteInstanceRequest& request,
                      v1::Instance* response);
  absl::Status Restart(const Call& call,
                       const Caller& caller,
                       const v1::RestartInstanceRequest& request,
                       v1::Instance* response);

 private:
  absl::Status Answer(const Call& call,
                      const Caller& caller,
                      const absl::StatusOr<Accepted>& accepted,
                      v1::Instance* response);

  Store& store_;
  Bus& bus_;
  const Clock& clock_;
  const identity::MasterKey& master_key_;
  const CreateRules rules_;
  const ConnectionSchemes schemes_;
};

}  // namespace trove::api
