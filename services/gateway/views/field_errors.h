#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace trove::gateway {

// The api names a field as its own request has it; a client wrote another document.

/// Path of a create's or a change's field: `users[0].name` is instance['users'][0]['name'],
/// `volume_size_gib` is instance['volume']['size'].
std::string InstancePath(std::string_view field);

/// The refusal of one field of {"instance": {…}}, in Trove's words and with the client's path;
/// every other status as it is.
absl::Status InstanceError(const absl::Status& status);

/// The same of a PUT's or PATCH's {"instance": {…}}.
absl::Status ChangeError(const absl::Status& status);

/// The same of {"resize": {…}}.
absl::Status ResizeError(const absl::Status& status);

/// The same of {"configuration": {…}}.
absl::Status ConfigurationError(const absl::Status& status);

/// The same of a list's query: `page_token` is marker, `after_position` is after.
absl::Status QueryError(const absl::Status& status);

}  // namespace trove::gateway
