#include "libtrove/identity/nats_permissions.h"

#include <catch2/catch.hpp>

namespace trove::identity {
namespace {

constexpr char kGuest[] = "0b0e7c1a-8f5e-4a55-9d36-0d2f8a1c9e77";

TEST_CASE("a guest may use its own subjects and inbox alone", "[unit][identity]") {
  const auto permissions = GuestNatsPermissions(GuestId(kGuest));
  REQUIRE(permissions.ok());
  const std::string guest = kGuest;
  CHECK(permissions->publish_allow ==
        std::vector<std::string>{"trove.v1.conductor.heartbeat." + guest,
                                 "trove.v1.conductor.job." + guest});
  CHECK(permissions->subscribe_allow ==
        std::vector<std::string>{"trove.v1.guest." + guest + ".>", "_INBOX_" + guest + ".>"});
  CHECK(permissions->most_responses == 1);
  CHECK(permissions->response_time == absl::Seconds(60));
  CHECK(permissions->most_subscriptions > 0);
}

TEST_CASE("a guest id that would widen a subject is refused", "[unit][identity]") {
  const std::string id = GENERATE("", "*", ">", "a.b", "a b", "guest");
  CAPTURE(id);
  CHECK(absl::IsInvalidArgument(GuestNatsPermissions(GuestId(id)).status()));
}

TEST_CASE("every service on the bus listens to its own inbox alone", "[unit][identity]") {
  for (const std::string& service : NatsServices()) {
    CAPTURE(service);
    const auto permissions = ServiceNatsPermissions(service);
    REQUIRE(permissions.ok());
    int inboxes = 0;
    for (const std::string& subject : permissions->subscribe_allow) {
      CHECK(subject != ">");
      if (!subject.starts_with("_INBOX")) continue;
      ++inboxes;
      CHECK(subject == NatsInboxPrefix(service) + ".>");
    }
    CHECK(inboxes == 1);
  }
}

TEST_CASE("who has no business on the bus gets no permissions", "[unit][identity]") {
  CHECK(absl::IsNotFound(ServiceNatsPermissions("gateway").status()));
  CHECK(absl::IsNotFound(ServiceNatsPermissions("").status()));
}

}  // namespace
}  // namespace trove::identity
