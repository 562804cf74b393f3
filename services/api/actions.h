#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/v1/instance.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/model/catalogue.h"
#include "libtrove/model/configuration.h"
#include "libtrove/store/store.h"
#include "services/api/policy.h"

namespace trove::api {

/// What an action's own checks look at.
struct ActionScene {
  const Call& call;
  Store& store;  ///< only read
  const InstanceView& view;
  const Caller& caller;
  std::int64_t most_volume_gib = 0;
  absl::Time now;
};

/// What a request for an action on an instance comes to.
struct PlannedAction {
  NewAction action;
  std::vector<QuotaDelta> effects;  ///< what it changes of the quotas in the end, for people
  bool preempts = false;            ///< takes the place of whatever runs on the instance
};

// One for each action: checks what is its own (whether the instance's state permits it is decided
// by `action.guard`), and says what the operation is, needs and takes. Nothing: there is nothing to
// do. Errors: as the rpc says, and those of reading the store.
using Planned = absl::StatusOr<std::optional<PlannedAction>>;

Planned PlanAction(const ActionScene& scene, const v1::DeleteInstanceRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::RestartInstanceRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::StopInstanceRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::StartInstanceRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::ResizeInstanceRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::GrowVolumeRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::AttachConfigurationRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::DetachConfigurationRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::UpgradeInstanceRequest& request);
Planned PlanAction(const ActionScene& scene, const v1::RebuildInstanceRequest& request);

/// A new operation with the newest steps of its kind, before it is accepted.
Operation NewOperation(std::string_view kind, absl::Time deadline, const Caller& caller);

/// What an operation holds of a group that it gives to an instance: the group stays, and others may
/// use it too.
ResourceLock SharedLockOn(const ConfigurationId& id);

/// Errors: kConfigurationMismatch: the group is for another datastore version; names `field`.
absl::Status CheckConfigurationFits(const Configuration& configuration,
                                    const DatastoreVersion& version,
                                    const std::string& field);

}  // namespace trove::api
