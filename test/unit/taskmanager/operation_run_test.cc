#include "services/taskmanager/operation_run.h"

#include <catch2/catch.hpp>

#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

using Names = std::vector<std::string>;
using Result = OperationRun::Result;

TEST_CASE("steps run in order and the last one ends the operation", "[unit][taskmanager]") {
  Scripted s;
  s.run["c"] = [](StepContext&) {
    return Done{Effects(SetTask{TaskStatus::kNone})};
  };
  s.Accept();
  auto claimed = s.Claim();
  REQUIRE(claimed.size() == 1);
  CHECK(s.Run(std::move(claimed.front())) == Result::kEnded);
  CHECK(s.trace == Names{"a", "b", "c"});
  const Operation ended = s.Get();
  CHECK(ended.state == OperationState::kSucceeded);
  CHECK(StatesOf(ended) ==
        std::vector<StepState>{StepState::kDone, StepState::kDone, StepState::kDone});
  CHECK(ended.current_step == 3);
  CHECK(ended.finished_at);
  CHECK(s.GetInstance().task == TaskStatus::kNone);
  CHECK(s.RunDue() == 0);
}

TEST_CASE("a step that must be tried again waits longer each time", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = [](StepContext& context) -> Outcome {
    if (context.attempt() < 3) return RetryAfter{"busy", std::nullopt};
    return Done{};
  };
  s.Accept();
  s.RunDue();
  Operation waiting = s.Get();
  CHECK(waiting.state == OperationState::kWaiting);
  CHECK(waiting.reason == "step b is tried again: busy");
  CHECK(waiting.steps[1].last_error == "busy");
  CHECK(waiting.waiting_since == s.clock.Now());
  const absl::Duration first = waiting.due_at - s.clock.Now();
  CHECK(first >= absl::Milliseconds(500));
  CHECK(first <= absl::Seconds(1));
  CHECK(s.RunDue() == 0);
  s.clock.Advance(first);
  CHECK(s.RunDue() == 1);
  waiting = s.Get();
  const absl::Duration second = waiting.due_at - s.clock.Now();
  CHECK(second >= absl::Seconds(1));
  CHECK(second <= absl::Seconds(2));
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b", "b", "b", "c"});
  CHECK(s.Get().steps[1].attempts == 3);
}

TEST_CASE("a step may say itself when it is tried again", "[unit][taskmanager]") {
  Scripted s;
  s.run["a"] = [](StepContext&) {
    return RetryAfter{"later", absl::Seconds(7)};
  };
  s.Accept();
  s.RunDue();
  CHECK(s.Get().due_at == s.clock.Now() + absl::Seconds(7));
}

TEST_CASE("out of attempts the earlier steps are undone in reverse", "[unit][taskmanager]") {
  Scripted s;
  s.run["c"] = [](StepContext&) {
    return RetryAfter{"no luck", std::nullopt};
  };
  s.Accept();
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b", "c", "c", "c", "~c", "~b", "~a"});
  const Operation failed = s.Get();
  CHECK(failed.state == OperationState::kFailed);
  CHECK(failed.error == "step c: failed 3 times, the last time: no luck");
  CHECK(failed.help == "ask a human");
  CHECK(StatesOf(failed) ==
        std::vector<StepState>{StepState::kUndone, StepState::kUndone, StepState::kFailed});
  REQUIRE(s.failures.size() == 1);
  CHECK(s.failures[0].step == "c");
  CHECK_FALSE(s.failures[0].timed_out);
  const Instance instance = s.GetInstance();
  CHECK(instance.task == TaskStatus::kBuildingErrorServer);
  REQUIRE(instance.fault);
  CHECK(instance.fault->message == failed.error);
}

TEST_CASE("a step that fails for good is not tried again", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = [](StepContext&) {
    return Fail{"no such program", "install it"};
  };
  s.Accept();
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b", "~b", "~a"});
  CHECK(s.Get().error == "step b: no such program");
  CHECK(s.Get().help == "install it");
}

TEST_CASE("an undo that cannot be done ends the operation and says what remains",
          "[unit][taskmanager]") {
  Scripted s;
  s.run["c"] = [](StepContext&) {
    return Fail{"broken", ""};
  };
  s.undo["b"] = [](StepContext&) {
    return RetryAfter{"volume is busy", std::nullopt};
  };
  s.Accept();
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b", "c", "~c", "~b", "~b", "~b"});
  const Operation failed = s.Get();
  CHECK(failed.state == OperationState::kFailed);
  CHECK(failed.error == "step c: broken; not undone: b (volume is busy), a");
}

TEST_CASE("a signal ends a wait early and is seen by the step", "[unit][taskmanager]") {
  Scripted s;
  std::string seen;
  s.run["b"] = [&](StepContext& context) -> Outcome {
    const Signal* signal = context.FindSignal("news");
    if (signal == nullptr) return WaitFor{"waits for news", "news", absl::Minutes(1), {}};
    seen = signal->payload;
    context.Consume("news");
    return Done{};
  };
  s.run["c"] = [&](StepContext& context) -> Outcome {
    CHECK(context.FindSignal("news") == nullptr);
    return Done{};
  };
  s.Accept();
  s.RunDue();
  CHECK(s.Get().awaited_signal == "news");
  CHECK(s.Get().reason == "waits for news");
  CHECK(s.RunDue() == 0);
  REQUIRE(
      s.store->PostSignal(SoonCall(), s.made.operation.id, {"news", "hello", s.clock.Now()}).ok());
  CHECK(s.RunDue() == 1);
  CHECK(seen == "hello");
  CHECK(s.Get().state == OperationState::kSucceeded);
  CHECK(s.Get().steps[1].attempts == 1);
}

TEST_CASE("a signal that came before the wait makes it due at once", "[unit][taskmanager]") {
  Scripted s;
  s.run["a"] = [&](StepContext& context) -> Outcome {
    if (context.FindSignal("news") != nullptr) return Done{};
    CHECK(s.store->PostSignal(SoonCall(), s.made.operation.id, {"news", "", s.clock.Now()}).ok());
    return WaitFor{"waits for news", "news", absl::Minutes(1), {}};
  };
  s.Accept();
  CHECK(s.RunDue() == 1);
  CHECK(s.RunDue() == 1);
  CHECK(s.Get().state == OperationState::kSucceeded);
}

TEST_CASE("a wait keeps its beginning while it goes on", "[unit][taskmanager]") {
  Scripted s;
  s.run["a"] = [](StepContext&) {
    return WaitFor{"waits", "", absl::Seconds(10), {}};
  };
  s.Accept();
  const absl::Time began = s.clock.Now();
  for (int i = 0; i < 3; ++i) {
    s.RunDue();
    s.clock.Advance(absl::Seconds(10));
  }
  CHECK(s.Get().waiting_since == began);
}

TEST_CASE("a step's time limit ends its waits", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = [](StepContext&) {
    return WaitFor{"waits for Godot", "", absl::Hours(1), {}};
  };
  s.Accept();
  s.RunDue();
  CHECK(s.Get().due_at == s.clock.Now() + absl::Minutes(2));
  s.clock.Advance(absl::Minutes(2));
  s.RunToEnd();
  const Operation failed = s.Get();
  CHECK(failed.state == OperationState::kFailed);
  CHECK(failed.error == "step b: not done within 2m: waits for Godot");
  REQUIRE(s.failures.size() == 1);
  CHECK(s.failures[0].timed_out);
}

TEST_CASE("an operation's deadline ends it wherever it is", "[unit][taskmanager]") {
  Scripted s;
  s.made.operation.deadline = s.clock.Now() + absl::Seconds(30);
  s.run["b"] = [](StepContext&) {
    return WaitFor{"waits", "", absl::Hours(1), {}};
  };
  s.Accept();
  s.RunDue();
  CHECK(s.Get().due_at == s.made.operation.deadline);
  s.clock.Advance(absl::Seconds(30));
  s.RunToEnd();
  CHECK(s.Get().error == "step b: the operation's time is up: waits");
  CHECK(s.trace == Names{"a", "b", "~b", "~a"});
}

TEST_CASE("a delete takes the operation away and its holder stops quietly", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = [&](StepContext&) -> Outcome {
    const auto deleted = s.store->BeginDelete(
        SoonCall(),
        SeededRequester("p1"),
        NewSeededAction(s.made.instance.id, "instance.delete", TaskStatus::kDeleting));
    CHECK(deleted.ok());
    return Done{Effects(SetTask{TaskStatus::kNone})};
  };
  s.Accept();
  auto claimed = s.Claim();
  REQUIRE(claimed.size() == 1);
  CHECK(s.Run(std::move(claimed.front())) == Result::kLost);
  CHECK(s.trace == Names{"a", "b"});
  CHECK(s.Get().state == OperationState::kCancelled);
  CHECK(s.GetInstance().task == TaskStatus::kDeleting);
}

TEST_CASE("what a worker does after its lease has ended is not written", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = [&](StepContext&) -> Outcome {
    s.clock.Advance(absl::Seconds(3));  // longer than the lease
    return Done{};
  };
  s.Accept();
  auto claimed = s.Claim();
  CHECK(s.Run(std::move(claimed.front())) == Result::kLost);
  CHECK(s.Get().steps[1].state == StepState::kRunning);
  s.run.clear();
  s.NewTerm();
  CHECK(s.RunDue() == 1);
  CHECK(s.trace == Names{"a", "b", "b", "c"});
  CHECK(s.Get().state == OperationState::kSucceeded);
}

TEST_CASE("a step that was saying something when the term ended is not heard",
          "[unit][taskmanager]") {
  Scripted s;
  s.run["a"] = [&](StepContext& context) -> Outcome {
    s.lost.request_stop();
    CHECK(context.call().stop.stop_requested());
    return Fail{"nobody must hear this", ""};
  };
  s.Accept();
  auto claimed = s.Claim();
  CHECK(s.Run(std::move(claimed.front())) == Result::kLost);
  CHECK(s.Get().state == OperationState::kRunning);
  CHECK(s.Get().error.empty());
}

TEST_CASE("while draining an operation is given back at the next boundary", "[unit][taskmanager]") {
  Scripted s;
  s.run["a"] = [&](StepContext&) -> Outcome {
    s.draining.request_stop();
    return Done{};
  };
  s.Accept();
  auto claimed = s.Claim();
  CHECK(s.Run(std::move(claimed.front())) == Result::kReleased);
  CHECK(s.trace == Names{"a"});
  s.draining = std::stop_source();
  s.run.clear();
  s.NewTerm();  // another process
  CHECK(s.RunDue() == 1);
  CHECK(s.trace == Names{"a", "b", "c"});
}

TEST_CASE("what a step saves and notes survives a crash in its middle", "[unit][taskmanager]") {
  Scripted s;
  bool crash = true;
  s.run["b"] = [&](StepContext& context) -> Outcome {
    if (crash) {
      context.SetFact("token", "42");
      CHECK(context.Save(Effects(SetVolumeState{VolumeState::kReady})).ok());
      s.lost.request_stop();
      return Done{};
    }
    CHECK(context.Fact("token") == "42");
    const auto target = context.Target();
    CHECK((target.ok() && target->volume.state == VolumeState::kReady));
    return Done{};
  };
  s.Accept();
  auto claimed = s.Claim();
  const std::int64_t generation = claimed.front().generation;
  CHECK(s.Run(std::move(claimed.front())) == Result::kLost);
  crash = false;
  s.clock.Advance(absl::Seconds(3));
  s.NewTerm();
  claimed = s.Claim();
  REQUIRE(claimed.size() == 1);
  CHECK(claimed.front().generation > generation);
  CHECK(s.Run(std::move(claimed.front())) == Result::kEnded);
  CHECK(s.Get().state == OperationState::kSucceeded);
}

TEST_CASE("what is to follow a write follows it and only it", "[unit][taskmanager]") {
  Scripted s;
  std::vector<StepState> seen;
  s.run["a"] = [&](StepContext& context) -> Outcome {
    context.AfterWrite([&] { seen.push_back(s.Get().steps[0].state); });
    return Done{};
  };
  s.run["b"] = [&](StepContext& context) -> Outcome {
    context.AfterWrite([&] { seen.push_back(StepState::kFailed); });
    s.lost.request_stop();
    return Done{};
  };
  s.Accept();
  s.RunDue();
  CHECK(seen == std::vector<StepState>{StepState::kDone});
}

TEST_CASE("a step whose effects clash is tried again", "[unit][taskmanager]") {
  Scripted s;
  NewInstance other = NewSeededInstance("p1", "instance.other");
  int port = 20000;
  s.run["a"] = [&](StepContext&) -> Outcome {
    return Done{Effects(AssignEndpoint{"127.0.0.1", port++})};
  };
  s.Accept();
  s.RunToEnd();
  REQUIRE(s.Get().state == OperationState::kSucceeded);
  // The second instance is offered the port of the first one, then the next.
  s.made = NewSeededInstance("p1", "instance.create");
  port = 20000;
  s.trace.clear();
  s.Accept();
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "a", "b", "c"});
  CHECK(s.Get().state == OperationState::kSucceeded);
}

TEST_CASE("a step that throws is tried again", "[unit][taskmanager]") {
  Scripted s;
  s.run["a"] = [](StepContext& context) -> Outcome {
    if (context.attempt() == 1) throw std::runtime_error("oops");
    return Done{};
  };
  s.Accept();
  s.RunDue();
  CHECK(s.Get().reason == "step a is tried again: it threw: oops");
  s.RunToEnd();
  CHECK(s.Get().state == OperationState::kSucceeded);
}

TEST_CASE("an operation of a newer release is left to it, and ends all the same",
          "[unit][taskmanager]") {
  Scripted s;
  s.made.operation.workflow_version = 9;
  s.Accept();
  s.RunDue();
  CHECK(s.Get().state == OperationState::kWaiting);
  CHECK(s.Get().reason == "this release knows no version 9 of instance.create");
  s.clock.Advance(absl::Hours(25));
  s.RunDue();
  CHECK(s.Get().state == OperationState::kFailed);
}

// A process that dies between two writes has done what it did, and said nothing. The operation is
// dropped there, whichever write it was about to make, and taken up by another process.
TEST_CASE("a crash at any boundary changes nothing about the end", "[unit][taskmanager]") {
  const bool failing = GENERATE(false, true);
  for (int crash_at = 1; crash_at <= 7; ++crash_at) {
    CAPTURE(failing, crash_at);
    Scripted s;
    int calls = 0;
    const auto maybe_crash = [&](StepContext&) -> Outcome {
      if (++calls == crash_at) s.lost.request_stop();
      return Done{};
    };
    for (const char* name : {"a", "b", "c"}) {
      s.run[name] = maybe_crash;
      s.undo[name] = maybe_crash;
    }
    if (failing)
      s.run["c"] = [&](StepContext& context) -> Outcome {
        maybe_crash(context);
        return Fail{"broken", ""};
      };
    s.Accept();
    for (int i = 0; i < 20 && !IsEnded(s.Get().state); ++i) {
      if (s.lost.stop_requested()) {
        s.clock.Advance(absl::Seconds(3));
        s.NewTerm();
      }
      s.RunDue();
    }
    const Operation ended = s.Get();
    CHECK(ended.state == (failing ? OperationState::kFailed : OperationState::kSucceeded));
    const StepState early = failing ? StepState::kUndone : StepState::kDone;
    const StepState last = failing ? StepState::kFailed : StepState::kDone;
    CHECK(StatesOf(ended) == std::vector<StepState>{early, early, last});
    CHECK(ended.error == (failing ? "step c: broken" : ""));
  }
}

}  // namespace
}  // namespace trove::taskmanager
