#pragma once

#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <google/protobuf/empty.pb.h>

#include "trove/rest/v1/instance.pb.h"
#include "trove/rest/v1/management.pb.h"
#include "trove/v1/instance.pb.h"

#include "services/gateway/asked.h"

namespace trove::gateway {

absl::StatusOr<v1::ListInstancesRequest> ToListInstances(
    const rest::v1::ListInstancesRequest& document, const Asked& asked);
absl::StatusOr<v1::GetInstanceRequest> ToGetInstance(const rest::v1::ShowInstanceRequest& document,
                                                     const Asked& asked);

/// Errors: kInvalidField; kFlavorUnknown: no flavor; kVolumeTooLarge: a size that no volume has;
/// kNotSupported: names the field that asks for what this server does not do yet.
absl::StatusOr<v1::CreateInstanceRequest> ToCreateInstance(
    const rest::v1::CreateInstanceRequest& document, const Asked& asked);

absl::StatusOr<v1::DeleteInstanceRequest> ToDeleteInstance(
    const rest::v1::DeleteInstanceRequest& document, const Asked& asked);
absl::StatusOr<v1::RestartInstanceRequest> ToRestartInstance(
    const rest::v1::RestartInstanceRequest& document, const Asked& asked);

/// Errors: kVolumeTooLarge: a size that no volume has.
absl::StatusOr<v1::GrowVolumeRequest> ToGrowVolume(const rest::v1::ResizeVolumeRequest& document,
                                                   const Asked& asked);
absl::StatusOr<v1::ResizeInstanceRequest> ToResizeInstance(
    const rest::v1::ResizeFlavorRequest& document, const Asked& asked);
absl::StatusOr<v1::StopInstanceRequest> ToStopInstance(
    const rest::v1::StopInstanceRequest& document, const Asked& asked);
absl::StatusOr<v1::StartInstanceRequest> ToStartInstance(
    const rest::v1::StartInstanceRequest& document, const Asked& asked);
absl::StatusOr<v1::RestartInstanceRequest> ToReboot(const rest::v1::RebootInstanceRequest& document,
                                                    const Asked& asked);
absl::StatusOr<v1::RebuildInstanceRequest> ToRebuildInstance(
    const rest::v1::RebuildInstanceRequest& document, const Asked& asked);

/// What a PUT or PATCH comes to: one thing that takes an operation, a new name, or both.
struct InstanceChange {
  enum class Kind { kNone, kAttach, kDetach, kUpgrade };
  std::string id;
  Kind kind = Kind::kNone;
  std::string value;                ///< the configuration group, or the version
  std::optional<std::string> name;  ///< the new one
};

/// Errors: kInvalidField: more fields than go together, a detach of what is no replica, or a plan
/// of what takes no operation; kNotSupported: as ToCreateInstance.
absl::StatusOr<InstanceChange> ChangeOfUpdate(const rest::v1::UpdateInstanceRequest& document,
                                              const Asked& asked);
absl::StatusOr<InstanceChange> ChangeOfEdit(const rest::v1::EditInstanceRequest& document,
                                            const Asked& asked);

/// The page, youngest first, with links to the next one if there is one.
rest::v1::ListInstancesResponse InstancesView(const v1::ListInstancesResponse& page,
                                              const Asked& asked);
rest::v1::ShowInstanceResponse InstanceView(const v1::Instance& instance, const Asked& asked);
rest::v1::CreateInstanceResponse NewInstanceView(const v1::Instance& instance, const Asked& asked);

/// The answer to what only says that it was accepted.
google::protobuf::Empty AcceptedView(const v1::Instance& instance, const Asked& asked);

}  // namespace trove::gateway
