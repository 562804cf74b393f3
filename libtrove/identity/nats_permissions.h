#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/id.h"

namespace trove::identity {

/// What one user of the bus may do; whatever is not named is refused by the server.
struct NatsPermissions {
  std::vector<std::string> publish_allow;
  std::vector<std::string> publish_deny;
  std::vector<std::string> subscribe_allow;
  std::vector<std::string> subscribe_deny;
  int most_responses = 0;  ///< replies to each received request, besides `publish_allow`; 0: none
  absl::Duration response_time;  ///< how long after the request they may be sent
  int most_subscriptions = -1;   ///< at a time; -1: any number
};

/// Where the answers to a user's own requests arrive: `_INBOX_<name>`. It is the custom inbox
/// prefix of the connection; only that user may subscribe below it.
std::string NatsInboxPrefix(std::string_view name);

/// A guest speaks for itself alone: its heartbeats and job reports, its own jobs, one answer to
/// each request. Errors: kInvalidArgument: the id is not a UUID.
absl::StatusOr<NatsPermissions> GuestNatsPermissions(const GuestId& guest);

/// Services: api, taskmanager, conductor, trovectl. Errors: kNotFound: another service, which has
/// no business on the bus.
absl::StatusOr<NatsPermissions> ServiceNatsPermissions(std::string_view service);

/// The names that ServiceNatsPermissions knows.
std::vector<std::string> NatsServices();

/// For the user of the system account with which the launcher updates accounts and asks the server
/// about itself.
NatsPermissions SystemNatsPermissions();

}  // namespace trove::identity
