#include "test/support/bus_contract.h"

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <catch2/catch.hpp>

#include "libtrove/base/mutex.h"
#include "test/support/eventually.h"

namespace trove {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(20);

const GuestId kGuest("8b7f0f4e-52a1-4a7e-9d0e-111111111111");
const GuestId kOtherGuest("8b7f0f4e-52a1-4a7e-9d0e-222222222222");

// What handlers heard, for the test's thread to look at.
class Ear {
 public:
  BusHandler handler() {
    return [this](const BusMessage& message) {
      Hear(message);
    };
  }
  void Hear(const BusMessage& message) {
    const MutexLock lock(mutex_);
    payloads_.push_back(message.payload);
    subjects_.push_back(message.subject.value());
  }
  std::vector<std::string> payloads() const {
    const MutexLock lock(mutex_);
    return payloads_;
  }
  std::vector<std::string> subjects() const {
    const MutexLock lock(mutex_);
    return subjects_;
  }
  std::size_t count() const { return payloads().size(); }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> payloads_ TROVE_GUARDED_BY(mutex_);
  std::vector<std::string> subjects_ TROVE_GUARDED_BY(mutex_);
};

// Holds handlers until it is opened; not for ever, so that a test that failed ends.
class Gate {
 public:
  void Open() {
    if (!opened_.exchange(true)) open_.set_value();
  }
  void Pass() {
    ++arrived_;
    open_future_.wait_for(absl::ToChronoSeconds(kSoon));
  }
  int arrived() const { return arrived_; }

 private:
  std::promise<void> open_;
  std::shared_future<void> open_future_ = open_.get_future().share();
  std::atomic<bool> opened_ = false;
  std::atomic<int> arrived_ = 0;
};

std::unique_ptr<Subscription> Listen(Bus& bus,
                                     const Subject& subject,
                                     BusHandler handler,
                                     const SubscribeOptions& options = {}) {
  auto subscription = bus.Subscribe(CallFor(kSoon), subject, options, std::move(handler));
  REQUIRE(subscription.ok());
  return *std::move(subscription);
}

void Send(Bus& bus, const Subject& subject, std::string_view payload) {
  REQUIRE(bus.Publish(CallFor(kSoon), subject, payload).ok());
}

void CheckDelivery(const std::function<BusesUnderTest()>& make) {
  const Subject mine = *HeartbeatSubject(kGuest);
  const Subject other = *HeartbeatSubject(kOtherGuest);

  SECTION("a message reaches every subscriber of its subject and of a pattern, in order") {
    const BusesUnderTest bus = make();
    Ear exact;
    Ear pattern;
    Ear own;
    const auto first = Listen(*bus.there, mine, exact.handler());
    const auto second = Listen(*bus.there, AnyHeartbeatSubject(), pattern.handler());
    const auto third = Listen(*bus.here, mine, own.handler());
    Send(*bus.here, mine, "1");
    Send(*bus.here, other, "2");
    Send(*bus.here, mine, "3");
    CHECK(Eventually(
        kSoon, [&] { return exact.count() == 2 && pattern.count() == 3 && own.count() == 2; }));
    CHECK(exact.payloads() == std::vector<std::string>{"1", "3"});
    CHECK(pattern.payloads() == std::vector<std::string>{"1", "2", "3"});
    CHECK(pattern.subjects() ==
          std::vector<std::string>{mine.value(), other.value(), mine.value()});
  }

  SECTION("each message goes to one of a queue group") {
    const BusesUnderTest bus = make();
    Ear one;
    Ear two;
    Ear outside;
    const SubscribeOptions group{.queue_group = "taskmanagers"};
    const auto first = Listen(*bus.here, TaskWakeSubject(), one.handler(), group);
    const auto second = Listen(*bus.there, TaskWakeSubject(), two.handler(), group);
    const auto third = Listen(*bus.there, TaskWakeSubject(), outside.handler());
    for (int i = 0; i < 100; ++i)
      Send(*bus.here, TaskWakeSubject(), std::to_string(i));
    CHECK(Eventually(kSoon,
                     [&] { return one.count() + two.count() == 100 && outside.count() == 100; }));
  }

  SECTION("a payload is bytes, empty ones and zeros included") {
    const BusesUnderTest bus = make();
    Ear ear;
    const auto subscription = Listen(*bus.there, mine, ear.handler());
    const std::string bytes("\0\r\n\xff", 4);
    Send(*bus.here, mine, "");
    Send(*bus.here, mine, bytes);
    CHECK(Eventually(kSoon, [&] { return ear.count() == 2; }));
    CHECK(ear.payloads() == std::vector<std::string>{"", bytes});
  }

  SECTION("what cannot be sent is refused") {
    const BusesUnderTest bus = make();
    const std::string large(kMaxBusPayloadBytes + 1, 'x');
    CHECK(absl::IsInvalidArgument(bus.here->Publish(CallFor(kSoon), mine, large)));
    CHECK(absl::IsInvalidArgument(bus.here->Request(CallFor(kSoon), mine, large).status()));
    CHECK(absl::IsInvalidArgument(bus.here->Publish(CallFor(kSoon), AnyHeartbeatSubject(), "x")));
    CHECK(absl::IsDeadlineExceeded(bus.here->Publish(CallFor(-absl::Seconds(1)), mine, "x")));
    std::stop_source stopped;
    stopped.request_stop();
    CHECK(absl::IsCancelled(bus.here->Publish(CallFor(kSoon, stopped.get_token()), mine, "x")));
  }

  SECTION("a subscription that cannot be is refused") {
    const BusesUnderTest bus = make();
    const auto subscribe = [&](const SubscribeOptions& options, BusHandler handler) {
      return bus.here->Subscribe(CallFor(kSoon), mine, options, std::move(handler)).status();
    };
    Ear ear;
    CHECK(absl::IsInvalidArgument(subscribe({.capacity_messages = 0}, ear.handler())));
    CHECK(absl::IsInvalidArgument(subscribe({.capacity_bytes = 0}, ear.handler())));
    CHECK(absl::IsInvalidArgument(subscribe({.queue_group = "two words"}, ear.handler())));
    CHECK(absl::IsInvalidArgument(subscribe({}, nullptr)));
  }
}

void CheckRequests(const std::function<BusesUnderTest()>& make) {
  const Subject job = *GuestJobSubject(kGuest);

  SECTION("a request gets its reply, and a published message takes none") {
    const BusesUnderTest bus = make();
    std::atomic<int> without_reply = 0;
    const auto subscription = Listen(*bus.there, job, [&](const BusMessage& message) {
      if (!message.can_reply()) {
        ++without_reply;
        return;
      }
      message.reply("you said " + message.payload).IgnoreError();  // seen by the asker
    });
    CHECK(bus.here->Request(CallFor(kSoon), job, "this").value() == "you said this");
    CHECK(bus.here->Request(CallFor(kSoon), job, "that").value() == "you said that");
    Send(*bus.here, job, "nothing");
    CHECK(Eventually(kSoon, [&] { return without_reply == 1; }));
  }

  SECTION("the largest payload passes both ways, and a larger reply is refused") {
    const BusesUnderTest bus = make();
    std::promise<absl::Status> refused;
    const auto subscription = Listen(*bus.there, job, [&](const BusMessage& message) {
      refused.set_value(message.reply(message.payload + "x"));
      message.reply(message.payload).IgnoreError();  // seen by the asker
    });
    const std::string large(kMaxBusPayloadBytes, 'x');
    const auto answer = bus.here->Request(CallFor(kSoon), job, large);
    REQUIRE(answer.ok());
    CHECK((*answer == large));
    CHECK(absl::IsInvalidArgument(refused.get_future().get()));
  }

  SECTION("a request to nobody fails at once") {
    const BusesUnderTest bus = make();
    const absl::Time start = absl::Now();
    CHECK(absl::IsUnavailable(bus.here->Request(CallFor(absl::Minutes(5)), job, "x").status()));
    CHECK(absl::Now() - start < kSoon);
  }

  SECTION("a question that nobody waits for gets its reply, or why there is none") {
    const BusesUnderTest bus = make();
    const auto nobody = bus.here->Ask(CallFor(kSoon), job, "x");
    REQUIRE(nobody.ok());
    CHECK(Eventually(kSoon, [&] { return (*nobody)->Answer().has_value(); }));
    CHECK(absl::IsUnavailable((*nobody)->Answer()->status()));
    Gate gate;
    const auto subscription = Listen(*bus.there, job, [&](const BusMessage& message) {
      gate.Pass();
      message.reply("you said " + message.payload).IgnoreError();  // seen by the asker
    });
    const auto asked = bus.here->Ask(CallFor(kSoon), job, "this");
    auto given_up = bus.here->Ask(CallFor(kSoon), job, "that");
    REQUIRE(asked.ok());
    REQUIRE(given_up.ok());
    CHECK_FALSE((*asked)->Answer());
    given_up->reset();
    gate.Open();
    REQUIRE(Eventually(kSoon, [&] { return (*asked)->Answer().has_value(); }));
    CHECK((*asked)->Answer()->value() == "you said this");
    CHECK((*asked)->Answer()->value() == "you said this");
  }

  SECTION("a request without a reply ends at its deadline") {
    const BusesUnderTest bus = make();
    Ear ear;
    const auto subscription = Listen(*bus.there, job, ear.handler());
    const absl::Time start = absl::Now();
    const Call call = CallFor(absl::Milliseconds(50));
    CHECK(absl::IsDeadlineExceeded(bus.here->Request(call, job, "x").status()));
    CHECK(absl::Now() >= call.deadline);
    CHECK(absl::Now() - start < kSoon);
    CHECK(Eventually(kSoon, [&] { return ear.count() == 1; }));
  }

  SECTION("a request that is too late is not sent") {
    const BusesUnderTest bus = make();
    Ear ear;
    const auto subscription = Listen(*bus.there, job, ear.handler());
    const Call late = CallFor(-absl::Seconds(1));
    CHECK(absl::IsDeadlineExceeded(bus.here->Request(late, job, "late").status()));
    Send(*bus.here, job, "in time");
    CHECK(Eventually(kSoon, [&] { return ear.count() == 1; }));
    CHECK(ear.payloads() == std::vector<std::string>{"in time"});
  }

  SECTION("a request ends when its caller leaves") {
    const BusesUnderTest bus = make();
    Ear ear;
    const auto subscription = Listen(*bus.there, job, ear.handler());
    std::stop_source caller;
    auto answer = std::async(std::launch::async, [&] {
      return bus.here->Request(CallFor(absl::Minutes(5), caller.get_token()), job, "x");
    });
    CHECK(Eventually(kSoon, [&] { return ear.count() == 1; }));
    caller.request_stop();
    CHECK(absl::IsCancelled(answer.get().status()));
  }

  SECTION("a reply may come later, from elsewhere, and once") {
    const BusesUnderTest bus = make();
    std::promise<BusReply> kept;
    auto subscription =
        Listen(*bus.there, job, [&](const BusMessage& message) { kept.set_value(message.reply); });
    auto answer =
        std::async(std::launch::async, [&] { return bus.here->Request(CallFor(kSoon), job, "x"); });
    const BusReply reply = kept.get_future().get();
    subscription.reset();
    CHECK(reply("first").ok());
    CHECK(absl::IsFailedPrecondition(reply("second")));
    CHECK(answer.get().value() == "first");
  }

  SECTION("many requests at once each get their own reply") {
    const BusesUnderTest bus = make();
    const auto subscription = Listen(*bus.there, job, [](const BusMessage& message) {
      message.reply(message.payload).IgnoreError();  // seen by the asker
    });
    std::atomic<int> right = 0;
    {
      std::vector<std::jthread> askers;
      askers.reserve(8);
      for (int asker = 0; asker < 8; ++asker) {
        askers.emplace_back([&, asker] {
          for (int i = 0; i < 50; ++i) {
            const std::string payload = std::to_string(asker) + "/" + std::to_string(i);
            const auto answer = bus.here->Request(CallFor(kSoon), job, payload);
            if (answer.ok() && *answer == payload) ++right;
          }
        });
      }
    }
    CHECK(right == 400);
  }

  SECTION("a handler may use the bus") {
    const BusesUnderTest bus = make();
    const Subject report = *JobReportSubject(kGuest);
    const auto inner = Listen(*bus.here, AnyJobReportSubject(), [](const BusMessage& message) {
      message.reply("stored " + message.payload).IgnoreError();  // seen by the asker
    });
    const auto outer = Listen(*bus.there, job, [&](const BusMessage& message) {
      const auto stored = bus.there->Request(CallFor(kSoon), report, message.payload);
      message.reply(stored.value_or("nothing")).IgnoreError();  // seen by the asker
    });
    CHECK(bus.here->Request(CallFor(kSoon), job, "it").value() == "stored it");
  }
}

void CheckSubscriptions(const std::function<BusesUnderTest()>& make) {
  const Subject mine = *HeartbeatSubject(kGuest);
  const Subject other = *HeartbeatSubject(kOtherGuest);
  const Subject job = *GuestJobSubject(kGuest);

  SECTION("a full queue drops what its options say") {
    const BusesUnderTest bus = make();
    const auto [overflow, kept] = GENERATE(table<Overflow, std::vector<std::string>>({
        {Overflow::kDropOldest, {"held", "8", "9"}},
        {Overflow::kDropNewest, {"held", "0", "1"}},
    }));
    Ear ear;
    Gate gate;
    const auto subscription = Listen(*bus.there,
                                     mine,
                                     [&](const BusMessage& message) {
                                       gate.Pass();
                                       ear.Hear(message);
                                     },
                                     {.capacity_messages = 2, .overflow = overflow});
    Send(*bus.here, mine, "held");
    REQUIRE(Eventually(kSoon, [&] { return gate.arrived() == 1; }));
    for (int i = 0; i < 10; ++i)
      Send(*bus.here, mine, std::to_string(i));
    CHECK(Eventually(kSoon, [&] { return subscription->dropped() == 8; }));
    gate.Open();
    CHECK(Eventually(kSoon, [&] { return ear.count() == 3; }));
    CHECK(ear.payloads() == kept);
  }

  SECTION("a queue is bounded in bytes too") {
    const BusesUnderTest bus = make();
    Ear ear;
    Gate gate;
    const auto subscription = Listen(*bus.there,
                                     mine,
                                     [&](const BusMessage& message) {
                                       gate.Pass();
                                       ear.Hear(message);
                                     },
                                     {.capacity_bytes = 10, .overflow = Overflow::kDropNewest});
    Send(*bus.here, mine, "held");
    REQUIRE(Eventually(kSoon, [&] { return gate.arrived() == 1; }));
    Send(*bus.here, mine, "six bytes");
    Send(*bus.here, mine, "dropped");
    Send(*bus.here, mine, "1");
    Send(*bus.here, mine, "dropped");
    CHECK(Eventually(kSoon, [&] { return subscription->dropped() == 2; }));
    gate.Open();
    CHECK(Eventually(kSoon, [&] { return ear.count() == 3; }));
    CHECK(ear.payloads() == std::vector<std::string>{"held", "six bytes", "1"});
  }

  SECTION("a slow handler delays no other") {
    const BusesUnderTest bus = make();
    Ear ear;
    Gate gate;
    const auto slow = Listen(*bus.there, mine, [&](const BusMessage&) { gate.Pass(); });
    const auto quick = Listen(*bus.there, other, ear.handler());
    const auto answers = Listen(*bus.there, job, [](const BusMessage& message) {
      message.reply("here").IgnoreError();  // seen by the asker
    });
    Send(*bus.here, mine, "x");
    REQUIRE(Eventually(kSoon, [&] { return gate.arrived() == 1; }));
    for (int i = 0; i < 100; ++i)
      Send(*bus.here, mine, "x");
    Send(*bus.here, other, "x");
    CHECK(Eventually(kSoon, [&] { return ear.count() == 1; }));
    CHECK(bus.here->Request(CallFor(kSoon), job, "x").value() == "here");
    gate.Open();
  }

  SECTION("the end of a subscription waits for its handler, and nothing is heard after it") {
    const BusesUnderTest bus = make();
    Gate gate;
    std::atomic<int> returned = 0;
    auto subscription = Listen(*bus.there, mine, [&](const BusMessage&) {
      gate.Pass();
      ++returned;
    });
    Send(*bus.here, mine, "running");
    Send(*bus.here, mine, "waiting");
    REQUIRE(Eventually(kSoon, [&] { return gate.arrived() == 1; }));
    auto ended = std::async(std::launch::async, [&] { subscription.reset(); });
    CHECK(ended.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
    CHECK(returned == 0);
    gate.Open();
    ended.get();
    CHECK(returned == 1);

    Ear later;
    const auto next = Listen(*bus.there, mine, later.handler());
    Send(*bus.here, mine, "x");
    CHECK(Eventually(kSoon, [&] { return later.count() == 1; }));
    CHECK(returned == 1);
  }

  SECTION("nobody listens any more once a subscription has ended") {
    const BusesUnderTest bus = make();
    Listen(*bus.here, job, [](const BusMessage& message) {
      message.reply("here").IgnoreError();  // nobody asks
    }).reset();
    CHECK(absl::IsUnavailable(bus.here->Request(CallFor(kSoon), job, "x").status()));
  }

  SECTION("a subscription may outlive its bus") {
    BusesUnderTest bus = make();
    Ear ear;
    const auto subscription = Listen(*bus.there, mine, ear.handler());
    bus.there.reset();
    Send(*bus.here, mine, "x");
    CHECK(subscription->dropped() == 0);
  }

  SECTION("a bus that is connected says so") {
    const BusesUnderTest bus = make();
    CHECK(bus.here->WaitUntilConnected(CallFor(kSoon)).ok());
    CHECK(bus.here->state().connected);
    CHECK(bus.here->state().connections == 1);
    CHECK(bus.here->state().refusals == 0);
  }
}

void CheckEvents(const std::function<BusesUnderTest()>& make) {
  const Subject event = *EventSubject(ProjectId("p1"), "instance", "i1");

  SECTION("an event is stored once for each message id, and heard") {
    const BusesUnderTest bus = make();
    Ear ear;
    const auto subscription = Listen(*bus.there, AnyEventSubject(), ear.handler());
    REQUIRE(bus.here->EnsureEventStream(CallFor(kSoon)).ok());
    REQUIRE(bus.there->EnsureEventStream(CallFor(kSoon)).ok());
    const std::string large(kMaxEventPayloadBytes, 'x');
    CHECK(bus.here->PublishEvent(CallFor(kSoon), event, "created", EventId("e1")).ok());
    CHECK(bus.here->PublishEvent(CallFor(kSoon), event, "created", EventId("e1")).ok());
    CHECK(bus.there->PublishEvent(CallFor(kSoon), event, large, EventId("e2")).ok());
    CHECK(bus.stored_events() == 2);
    CHECK(Eventually(kSoon, [&] { return ear.count() >= 2; }));
    CHECK(ear.payloads().front() == "created");
    CHECK(ear.subjects().front() == event.value());
  }

  SECTION("without a stream an event is not taken") {
    const BusesUnderTest bus = make();
    CHECK(absl::IsUnavailable(bus.here->PublishEvent(CallFor(kSoon), event, "x", EventId("e1"))));
  }

  SECTION("what is no event is refused") {
    const BusesUnderTest bus = make();
    REQUIRE(bus.here->EnsureEventStream(CallFor(kSoon)).ok());
    const auto publish =
        [&](const Subject& subject, std::string_view payload, const std::string& id) {
          return bus.here->PublishEvent(CallFor(kSoon), subject, payload, EventId(id));
        };
    CHECK(absl::IsInvalidArgument(publish(TaskWakeSubject(), "x", "e1")));
    CHECK(absl::IsInvalidArgument(publish(AnyEventSubject(), "x", "e1")));
    CHECK(absl::IsInvalidArgument(publish(event, "x", "")));
    CHECK(absl::IsInvalidArgument(publish(event, "x", "two\r\nlines")));
    CHECK(absl::IsInvalidArgument(publish(event, "x", std::string(129, 'e'))));
    CHECK(
        absl::IsInvalidArgument(publish(event, std::string(kMaxEventPayloadBytes + 1, 'x'), "e1")));
    CHECK(bus.stored_events() == 0);
  }
}

}  // namespace

void CheckBusContract(const std::function<BusesUnderTest()>& make) {
  CheckDelivery(make);
  CheckRequests(make);
  CheckSubscriptions(make);
  CheckEvents(make);
}

}  // namespace trove
