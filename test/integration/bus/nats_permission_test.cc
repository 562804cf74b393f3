#include <atomic>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <catch2/catch.hpp>

#include "libtrove/bus/nats_bus.h"
#include "test/integration/bus/bus_server.h"
#include "test/support/eventually.h"

namespace trove {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(20);

const GuestId kGuest("8b7f0f4e-52a1-4a7e-9d0e-111111111111");
const GuestId kVictim("8b7f0f4e-52a1-4a7e-9d0e-222222222222");

TEST_CASE("guest and control plane do with their own logins what they are for",
          "[integration][bus]") {
  const BusServer server;
  const std::unique_ptr<NatsBus> guest = server.Connect(server.Guest(kGuest));
  const std::unique_ptr<NatsBus> conductor = server.Connect(server.Service("conductor"));
  const std::unique_ptr<NatsBus> taskmanager = server.Connect(server.Service("taskmanager"));

  std::atomic<int> heartbeats = 0;
  const auto listening =
      conductor->Subscribe(CallFor(kSoon),
                           AnyHeartbeatSubject(),
                           {.overflow = Overflow::kDropOldest},
                           [&](const BusMessage& message) {
                             if (GuestOf(message.subject).value_or(GuestId()) == kGuest)
                               ++heartbeats;
                           });
  REQUIRE(listening.ok());
  CHECK(guest->Publish(CallFor(kSoon), *HeartbeatSubject(kGuest), "alive").ok());
  CHECK(Eventually(kSoon, [&] { return heartbeats == 1; }));

  const auto reports = conductor->Subscribe(
      CallFor(kSoon),
      AnyJobReportSubject(),
      {.queue_group = "conductors"},
      [](const BusMessage& message) { message.reply("stored").IgnoreError(); });
  REQUIRE(reports.ok());
  CHECK(guest->Request(CallFor(kSoon), *JobReportSubject(kGuest), "done").value() == "stored");

  const auto jobs =
      guest->Subscribe(CallFor(kSoon), *GuestJobSubject(kGuest), {}, [](const BusMessage& message) {
        message.reply("accepted").IgnoreError();  // seen by the asker
      });
  REQUIRE(jobs.ok());
  CHECK(taskmanager->Request(CallFor(kSoon), *GuestJobSubject(kGuest), "do").value() == "accepted");

  const Subject event = *EventSubject(ProjectId("p"), "instance", "i");
  CHECK(taskmanager->EnsureEventStream(CallFor(kSoon)).ok());
  CHECK(taskmanager->PublishEvent(CallFor(kSoon), event, "created", EventId("1")).ok());

  CHECK(guest->state().refusals == 0);
  CHECK(conductor->state().refusals == 0);
  CHECK(taskmanager->state().refusals == 0);
}

TEST_CASE("a guest speaks as nobody else, and its attempt is seen", "[integration][bus]") {
  const BusServer server;
  const std::unique_ptr<NatsBus> guest = server.Connect(server.Guest(kGuest));
  const std::unique_ptr<NatsBus> everybody = server.Connect(server.Everybody());
  std::atomic<int> heard = 0;
  const auto all = everybody->Subscribe(
      CallFor(kSoon), Subject::Received("trove.>"), {}, [&](const BusMessage&) { ++heard; });
  REQUIRE(all.ok());

  const Subject foreign = GENERATE(Subject(*HeartbeatSubject(kVictim)),
                                   Subject(*JobReportSubject(kVictim)),
                                   Subject(*GuestJobSubject(kVictim)),
                                   Subject(*GuestJobSubject(kGuest)),
                                   Subject(*EventSubject(ProjectId("p"), "instance", "i")),
                                   TaskWakeSubject(),
                                   Subject::Received("$JS.API.STREAM.DELETE.trove_events"),
                                   Subject::Received("_INBOX_conductor.x"));
  CAPTURE(foreign.value());
  CHECK(absl::IsPermissionDenied(guest->Request(CallFor(kSoon), foreign, "I am another").status()));
  CHECK(Eventually(kSoon, [&] { return guest->state().refusals >= 1; }));
  CHECK(absl::IsPermissionDenied(guest->state().last_error));
  CHECK(guest->Publish(CallFor(kSoon), foreign, "I am another").ok());
  CHECK(Eventually(kSoon, [&] { return guest->state().refusals >= 2; }));
  // Its own are still heard, and come after what was refused.
  CHECK(guest->Publish(CallFor(kSoon), *HeartbeatSubject(kGuest), "alive").ok());
  CHECK(Eventually(kSoon, [&] { return heard >= 1; }));
  CHECK(heard == 1);
}

TEST_CASE("a guest hears nobody else, and its attempt is seen", "[integration][bus]") {
  const BusServer server;
  const std::unique_ptr<NatsBus> guest = server.Connect(server.Guest(kGuest));
  const std::string foreign = GENERATE(std::string("trove.v1.guest.*.job"),
                                       std::string("trove.>"),
                                       std::string(">"),
                                       std::string("_INBOX.>"),
                                       std::string("_INBOX_*.>"),
                                       std::string("_INBOX_conductor.>"),
                                       std::string("$JS.>"));
  CAPTURE(foreign);
  const auto subscription =
      guest->Subscribe(CallFor(kSoon), Subject::Received(foreign), {}, [](const BusMessage&) {});
  REQUIRE(subscription.ok());
  CHECK(Eventually(kSoon, [&] { return absl::IsPermissionDenied((*subscription)->status()); }));
  CHECK(guest->state().refusals == 1);
}

TEST_CASE("a guest with another's inbox gets no replies, and is told so", "[integration][bus]") {
  const BusServer server;
  NatsBusOptions options = server.Guest(kGuest);
  options.inbox_prefix = "_INBOX_conductor";
  const std::unique_ptr<NatsBus> guest = server.Connect(options);
  CHECK(Eventually(kSoon, [&] { return guest->state().refusals == 1; }));
  CHECK(absl::IsPermissionDenied(
      guest->Request(CallFor(absl::Minutes(5)), *JobReportSubject(kGuest), "x").status()));
}

}  // namespace
}  // namespace trove
