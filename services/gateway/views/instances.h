#pragma once

#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <google/protobuf/empty.pb.h>

#include "trove/rest/v1/instance.pb.h"
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

/// What a PUT or PATCH comes to.
struct InstanceChange {
  std::string id;
  std::optional<std::string> name;  ///< nothing: nothing changes, if there is such an instance
};

/// Errors: kInvalidField: more fields than go together, or a detach of what is no replica;
/// kNotSupported: as ToCreateInstance.
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
