#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace trove::gateway {

/// Where a field of trove.v1's instance requests stands in a REST body: `volume_size_gib` is
/// "instance['volume']['size']", `users[0].name` is "instance['users'][0]['name']".
std::string RestPath(std::string_view field);

/// A refusal of the api in the client's terms: "Validation error: instance['volume']['size'] …"
/// where the api names a field of its own. Other errors stay as they are.
absl::Status InstanceError(const absl::Status& status);

}  // namespace trove::gateway
