#include "libtrove/identity/nats_permissions.h"

#include <array>

#include <absl/status/status.h>

#include "libtrove/base/uuid.h"

namespace trove::identity {
namespace {

constexpr absl::Duration kResponseTime = absl::Seconds(60);

// A guest's connection has three subscriptions; room for reconnects and requests under way.
constexpr int kMostGuestSubscriptions = 64;

struct ServiceRow {
  std::string_view service;
  std::vector<std::string> publish;
  std::vector<std::string> subscribe;
  bool answers;
};

// Who says what to whom on the bus. Every service may also listen to its own inbox, and one that
// `answers` may reply to what it was asked.
const std::array<ServiceRow, 4>& Rows() {
  static const std::array<ServiceRow, 4> kRows = {{
      {"api", {"trove.v1.task.wake"}, {"trove.v1.event.>"}, false},
      {"taskmanager",
       {"trove.v1.task.wake",
        "trove.v1.guest.*.job",
        "trove.v1.guest.*.cancel",
        "trove.v1.guest.*.settled",
        "trove.v1.event.>",
        "$JS.API.>"},
       {"trove.v1.task.wake", "trove.v1.event.>"},
       false},
      {"conductor",
       {"trove.v1.task.wake"},
       {"trove.v1.conductor.heartbeat.*", "trove.v1.conductor.job.*"},
       true},
      {"trovectl",
       {"$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"},
       {"trove.v1.event.>", "trove.v1.conductor.heartbeat.*"},
       false},
  }};
  return kRows;
}

}  // namespace

std::string NatsInboxPrefix(std::string_view name) {
  return "_INBOX_" + std::string(name);
}

absl::StatusOr<NatsPermissions> GuestNatsPermissions(const GuestId& guest) {
  if (!IsUuid(guest.value())) {
    return absl::InvalidArgumentError("guest id \"" + guest.value() + "\" is not a UUID");
  }
  NatsPermissions permissions;
  permissions.publish_allow = {"trove.v1.conductor.heartbeat." + guest.value(),
                               "trove.v1.conductor.job." + guest.value()};
  permissions.subscribe_allow = {"trove.v1.guest." + guest.value() + ".>",
                                 NatsInboxPrefix(guest.value()) + ".>"};
  permissions.most_responses = 1;
  permissions.response_time = kResponseTime;
  permissions.most_subscriptions = kMostGuestSubscriptions;
  return permissions;
}

absl::StatusOr<NatsPermissions> ServiceNatsPermissions(std::string_view service) {
  for (const ServiceRow& row : Rows()) {
    if (row.service != service) continue;
    NatsPermissions permissions;
    permissions.publish_allow = row.publish;
    permissions.subscribe_allow = row.subscribe;
    permissions.subscribe_allow.push_back(NatsInboxPrefix(service) + ".>");
    if (row.answers) {
      permissions.most_responses = 1;
      permissions.response_time = kResponseTime;
    }
    return permissions;
  }
  return absl::NotFoundError("service \"" + std::string(service) + "\" has no place on the bus");
}

std::vector<std::string> NatsServices() {
  std::vector<std::string> names;
  for (const ServiceRow& row : Rows())
    names.emplace_back(row.service);
  return names;
}

NatsPermissions SystemNatsPermissions() {
  NatsPermissions permissions;
  permissions.publish_allow = {"$SYS.REQ.>"};
  permissions.subscribe_allow = {"$SYS.>", NatsInboxPrefix("system") + ".>"};
  return permissions;
}

}  // namespace trove::identity
