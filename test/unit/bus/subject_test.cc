#include "libtrove/bus/subject.h"

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <catch2/catch.hpp>

namespace trove {
namespace {

const GuestId kGuest("1f0c");

TEST_CASE("subjects read as the design lists them", "[unit][bus]") {
  CHECK(TaskWakeSubject().value() == "trove.v1.task.wake");
  CHECK(GuestJobSubject(kGuest)->value() == "trove.v1.guest.1f0c.job");
  CHECK(GuestCancelSubject(kGuest)->value() == "trove.v1.guest.1f0c.cancel");
  CHECK(GuestSettledSubject(kGuest)->value() == "trove.v1.guest.1f0c.settled");
  CHECK(HeartbeatSubject(kGuest)->value() == "trove.v1.conductor.heartbeat.1f0c");
  CHECK(AnyHeartbeatSubject().value() == "trove.v1.conductor.heartbeat.*");
  CHECK(JobReportSubject(kGuest)->value() == "trove.v1.conductor.job.1f0c");
  CHECK(AnyJobReportSubject().value() == "trove.v1.conductor.job.*");
  CHECK(EventSubject(ProjectId("p"), "instance", "i")->value() == "trove.v1.event.p.instance.i");
  CHECK(AnyEventSubject().value() == "trove.v1.event.>");
}

TEST_CASE("an id that would change its subject is refused", "[unit][bus]") {
  const std::string word = GENERATE(std::string(),
                                    std::string("a.b"),
                                    std::string("*"),
                                    std::string("a*"),
                                    std::string(">"),
                                    std::string("a b"),
                                    std::string("a\tb"),
                                    std::string("a\r\nPUB x"),
                                    std::string("a\0b", 3),
                                    std::string("\x7f"),
                                    std::string("\xc3\xa4"),
                                    std::string(129, 'a'));
  CAPTURE(word);
  const GuestId guest(word);
  CHECK(absl::IsInvalidArgument(GuestJobSubject(guest).status()));
  CHECK(absl::IsInvalidArgument(GuestCancelSubject(guest).status()));
  CHECK(absl::IsInvalidArgument(GuestSettledSubject(guest).status()));
  CHECK(absl::IsInvalidArgument(HeartbeatSubject(guest).status()));
  CHECK(absl::IsInvalidArgument(JobReportSubject(guest).status()));
  CHECK(absl::IsInvalidArgument(EventSubject(ProjectId(word), "instance", "i").status()));
  CHECK(absl::IsInvalidArgument(EventSubject(ProjectId("p"), word, "i").status()));
  CHECK(absl::IsInvalidArgument(EventSubject(ProjectId("p"), "instance", word).status()));
}

TEST_CASE("the longest id makes a subject", "[unit][bus]") {
  const std::string word(128, 'a');
  CHECK(GuestOf(*GuestJobSubject(GuestId(word)))->value() == word);
}

TEST_CASE("the guest is read out of its subjects", "[unit][bus]") {
  CHECK(*GuestOf(*GuestJobSubject(kGuest)) == kGuest);
  CHECK(*GuestOf(*GuestCancelSubject(kGuest)) == kGuest);
  CHECK(*GuestOf(*GuestSettledSubject(kGuest)) == kGuest);
  CHECK(*GuestOf(*HeartbeatSubject(kGuest)) == kGuest);
  CHECK(*GuestOf(*JobReportSubject(kGuest)) == kGuest);
}

TEST_CASE("other subjects name no guest", "[unit][bus]") {
  const std::string text = GENERATE(std::string(),
                                    std::string("trove.v1.task.wake"),
                                    std::string("trove.v1.guest.g"),
                                    std::string("trove.v1.guest.g.other"),
                                    std::string("trove.v1.guest..job"),
                                    std::string("trove.v1.guest.a.b.job"),
                                    std::string("trove.v1.guest.job"),
                                    std::string("trove.v1.conductor.heartbeat."),
                                    std::string("trove.v1.conductor.heartbeat.*"),
                                    std::string("trove.v1.conductor.heartbeat.a.b"),
                                    std::string("trove.v2.conductor.heartbeat.a"),
                                    std::string("trove.v1.event.p.instance.i"));
  CAPTURE(text);
  CHECK(absl::IsInvalidArgument(GuestOf(Subject::Received(text)).status()));
}

TEST_CASE("an event's subject is told from others", "[unit][bus]") {
  CHECK(IsEventSubject(*EventSubject(ProjectId("p"), "instance", "i")));
  CHECK_FALSE(IsEventSubject(TaskWakeSubject()));
  CHECK_FALSE(IsEventSubject(AnyEventSubject()));
  CHECK_FALSE(IsEventSubject(Subject::Received("trove.v1.event.p.instance")));
}

}  // namespace
}  // namespace trove
