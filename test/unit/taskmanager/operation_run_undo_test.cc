#include <algorithm>

#include <catch2/catch.hpp>

#include "services/taskmanager/operation_run.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

using Names = std::vector<std::string>;
using States = std::vector<StepState>;
using Result = OperationRun::Result;

Outcome Wait(StepContext& /*context*/) {
  return WaitFor{"waits", "news", absl::Minutes(1), {}};
}

Outcome Break(StepContext& /*context*/) {
  return Fail{"broken", ""};
}

TEST_CASE("what is cancelled before it has begun ends at once", "[unit][taskmanager]") {
  Scripted s;
  s.Accept();
  REQUIRE(s.Cancel());
  CHECK(s.RunDue() == 1);
  CHECK(s.trace.empty());
  const Operation ended = s.Get();
  CHECK(ended.state == OperationState::kCancelled);
  CHECK(ended.error == "cancelled by request");
  CHECK(s.GetInstance().task == TaskStatus::kNone);
  CHECK_FALSE(s.GetInstance().fault);
  CHECK(s.failures.empty());
}

TEST_CASE("a cancel undoes what was done, from the step that waits", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = Wait;
  s.Accept();
  s.RunDue();
  REQUIRE(s.Get().state == OperationState::kWaiting);
  CHECK(s.Get().cancellable);
  REQUIRE(s.Cancel());
  CHECK(s.RunDue() == 1);
  CHECK(s.trace == Names{"a", "b", "~b", "~a"});
  const Operation ended = s.Get();
  CHECK(ended.state == OperationState::kCancelled);
  CHECK(ended.error == "cancelled by request");
  CHECK(StatesOf(ended) == States{StepState::kUndone, StepState::kUndone, StepState::kPending});
  CHECK(s.GetInstance().task == TaskStatus::kNone);
  CHECK_FALSE(s.GetInstance().fault);
}

TEST_CASE("a cancel that comes while a step runs is seen at its end", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = [&](StepContext&) -> Outcome {
    CHECK(s.Cancel());
    return Done{};
  };
  s.Accept();
  CHECK(s.RunDue() == 1);
  CHECK(s.trace == Names{"a", "b", "~c", "~b", "~a"});
  CHECK(s.Get().state == OperationState::kCancelled);
}

TEST_CASE("a cancel that comes before a wait is not waited for", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = [&](StepContext& context) -> Outcome {
    CHECK(s.Cancel());
    return Wait(context);
  };
  s.Accept();
  CHECK(s.RunDue() == 1);
  // The store made it due at once.
  CHECK(s.RunDue() == 1);
  CHECK(s.trace == Names{"a", "b", "~b", "~a"});
  CHECK(s.Get().state == OperationState::kCancelled);
}

TEST_CASE("a step that may be cancelled is interrupted", "[unit][taskmanager]") {
  Scripted s;
  OperationRun* one = nullptr;
  s.run["b"] = [&](StepContext& context) -> Outcome {
    CHECK(s.Cancel());
    one->RequestCancel();
    CHECK(context.call().stop.stop_requested());
    return RetryAfter{"interrupted", std::nullopt};
  };
  s.undo["b"] = [&](StepContext& context) -> Outcome {
    CHECK(context.undoing());
    CHECK(context.step() == "b");
    CHECK_FALSE(context.call().stop.stop_requested());
    return Done{};
  };
  s.Accept();
  auto claimed = s.Claim();
  OperationRun run(
      *s.store, s.clock, s.workflows, s.term, s.draining.get_token(), std::move(claimed.front()));
  one = &run;
  CHECK(run.Run() == Result::kEnded);
  CHECK(s.trace == Names{"a", "b", "~b", "~a"});
  CHECK(s.Get().state == OperationState::kCancelled);
}

TEST_CASE("what has begun and must not be cancelled goes on, and is undone when it fails",
          "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) { workflow.steps[1].not_cancelled = true; });
  bool fails = false;
  bool over = false;
  s.run["b"] = [&](StepContext&) -> Outcome {
    if (!over) return WaitFor{"for the guest", "", absl::Seconds(1), {}};
    if (fails) return Fail{"no", ""};
    return Done{};
  };
  SECTION("it ends well") {}
  SECTION("it fails") {
    fails = true;
  }
  s.Accept();
  s.RunDue();
  CHECK_FALSE(s.Get().cancellable);
  CHECK_FALSE(s.Cancel());
  over = true;
  s.RunToEnd();
  CHECK(s.Get().state == (fails ? OperationState::kFailed : OperationState::kSucceeded));
  CHECK((std::count(s.trace.begin(), s.trace.end(), "~b") == 1) == fails);
}

TEST_CASE("what is past its point of no return goes on", "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) { workflow.steps[1].point_of_no_return = true; });
  SECTION("a cancel is refused then") {
    s.run["c"] = Wait;
    s.Accept();
    s.RunDue();
    CHECK_FALSE(s.Get().cancellable);
    CHECK_FALSE(s.Cancel());
  }
  SECTION("one that came just before is ignored") {
    s.run["b"] = [&](StepContext&) -> Outcome {
      CHECK(s.Cancel());
      return Done{};
    };
    s.run["c"] = [&](StepContext& context) -> Outcome {
      if (context.FindSignal("news") != nullptr) return Done{};
      return Wait(context);
    };
    s.Accept();
    CHECK(s.RunDue() == 1);
    CHECK(s.Get().state == OperationState::kWaiting);
    CHECK(s.RunDue() == 0);  // it is not due for ever
    REQUIRE(s.store->PostSignal(SoonCall(), s.made.operation.id, {"news", "", s.clock.Now()}).ok());
    CHECK(s.RunDue() == 1);
    CHECK(s.trace == Names{"a", "b", "c", "c"});
    CHECK(s.Get().state == OperationState::kSucceeded);
  }
  SECTION("a failure undoes only what came after it") {
    s.run["c"] = Break;
    s.Accept();
    s.RunToEnd();
    CHECK(s.trace == Names{"a", "b", "c", "~c"});
    CHECK(StatesOf(s.Get()) == States{StepState::kDone, StepState::kDone, StepState::kFailed});
  }
  SECTION("while it is not done, all is undone") {
    s.run["b"] = Break;
    s.Accept();
    s.RunToEnd();
    CHECK(s.trace == Names{"a", "b", "~b", "~a"});
  }
}

TEST_CASE("a workflow may not be cancellable at all", "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) { workflow.cancellable = false; });
  s.run["a"] = [&](StepContext& context) -> Outcome {
    if (context.FindSignal("news") == nullptr) return Wait(context);
    return Done{};
  };
  s.Accept();
  REQUIRE(s.Cancel());  // nobody has looked at it yet
  s.RunDue();
  CHECK(s.Get().state == OperationState::kWaiting);
  CHECK_FALSE(s.Get().cancellable);
  REQUIRE(s.store->PostSignal(SoonCall(), s.made.operation.id, {"news", "", s.clock.Now()}).ok());
  s.RunDue();
  CHECK(s.Get().state == OperationState::kSucceeded);
}

TEST_CASE("a failure may leave everything as it is", "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) { workflow.undo_on_failure = false; });
  s.run["b"] = Break;
  s.Accept();
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b"});
  CHECK(s.Get().error == "step b: broken");
  CHECK(StatesOf(s.Get()) == States{StepState::kDone, StepState::kFailed, StepState::kPending});
  REQUIRE(s.failures.size() == 1);
  CHECK(s.failures[0].step == "b");
}

TEST_CASE("an undo that waits says so and is not an attempt", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = Break;
  int looks = 0;
  s.undo["b"] = [&](StepContext& context) -> Outcome {
    CHECK(context.attempt() == 1);
    if (context.FindSignal("gone") == nullptr) {
      ++looks;
      return WaitFor{"waits for the volume to go", "gone", absl::Seconds(10), {}};
    }
    context.Consume("gone");
    return Done{};
  };
  s.Accept();
  s.RunDue();
  Operation waiting = s.Get();
  CHECK(waiting.state == OperationState::kCancelling);
  CHECK(waiting.reason == "undoing step b: waits for the volume to go");
  CHECK(waiting.awaited_signal == "gone");
  CHECK(waiting.waiting_since);
  CHECK_FALSE(waiting.cancellable);
  for (int i = 0; i < 5; ++i) {
    s.clock.Advance(absl::Seconds(10));
    CHECK(s.RunDue() == 1);
  }
  CHECK(looks == 6);
  REQUIRE(s.store->PostSignal(SoonCall(), s.made.operation.id, {"gone", "", s.clock.Now()}).ok());
  CHECK(s.RunDue() == 1);
  CHECK(s.Get().state == OperationState::kFailed);
  CHECK(s.Get().error == "step b: broken");
}

TEST_CASE("an undo that waits ends too, and says what remains", "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) { workflow.steps[1].undo_limit = absl::Minutes(3); });
  const bool cancelled = GENERATE(false, true);
  CAPTURE(cancelled);
  s.run["c"] = cancelled ? Wait : Break;
  s.undo["b"] = [](StepContext&) {
    return WaitFor{"for ever", "never", absl::Hours(1), {}};
  };
  s.Accept();
  s.RunDue();
  if (cancelled) {
    REQUIRE(s.Cancel());
    s.RunDue();
  }
  CHECK(s.Get().due_at == s.clock.Now() + absl::Minutes(3));
  s.RunToEnd();
  const Operation ended = s.Get();
  CHECK(ended.state == OperationState::kFailed);
  CHECK(ended.error == std::string(cancelled ? "cancelled by request" : "step c: broken") +
                           "; not undone: b (not undone within 3m), a");
  CHECK(ended.help == "ask a human");
  CHECK(s.failures.size() == 1);
  CHECK(s.GetInstance().fault);
}

TEST_CASE("an undo that fails for good says what remains", "[unit][taskmanager]") {
  Scripted s;
  s.run["c"] = Break;
  s.undo["b"] = [](StepContext&) {
    return Fail{"no such folder", ""};
  };
  s.Accept();
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b", "c", "~c", "~b"});
  CHECK(s.Get().error == "step c: broken; not undone: b (no such folder), a");
}

TEST_CASE("an undo may change rows", "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) { workflow.on_failed = nullptr; });
  s.run["b"] = Break;
  s.undo["b"] = [](StepContext&) {
    return Done{Effects(SetVolumeState{VolumeState::kReady})};
  };
  s.undo["a"] = [](StepContext&) {
    return Done{Effects(SetTask{TaskStatus::kRebooting})};
  };
  s.Accept();
  s.RunToEnd();
  CHECK(s.GetInstance().task == TaskStatus::kRebooting);
}

TEST_CASE("a retry begins at the step that failed", "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) { workflow.undo_on_failure = false; });
  s.run["b"] = [](StepContext& context) -> Outcome {
    if (context.attempt() <= 3) return RetryAfter{"busy", std::nullopt};
    CHECK(context.attempt() == 4);
    return Done{};
  };
  s.Accept();
  s.RunToEnd();
  REQUIRE(s.Get().state == OperationState::kFailed);
  REQUIRE(s.Retry());
  CHECK(s.Get().state == OperationState::kPending);
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b", "b", "b", "b", "c"});
  const Operation ended = s.Get();
  CHECK(ended.state == OperationState::kSucceeded);
  CHECK(ended.error.empty());
  CHECK(ended.help.empty());
  CHECK(ended.retries == 1);
  CHECK(ended.steps[1].attempts == 4);
  CHECK(ended.steps[1].last_error.empty());
  CHECK_FALSE(s.GetInstance().fault);
}

TEST_CASE("a retry begins at the first step that was undone", "[unit][taskmanager]") {
  // The middle one has nothing to undo, but rests on the first.
  Scripted s([](Workflow& workflow) { workflow.steps[1].undo = nullptr; });
  int failures = 2;
  std::vector<int> attempts;
  std::vector<int> undos;
  s.run["c"] = [&](StepContext& context) -> Outcome {
    attempts.push_back(context.attempt());
    if (failures-- > 0) return Break(context);
    return Done{};
  };
  s.undo["c"] = [&](StepContext& context) -> Outcome {
    undos.push_back(context.attempt());
    return Done{};
  };
  s.Accept();
  s.RunToEnd();
  CHECK(StatesOf(s.Get()) == States{StepState::kUndone, StepState::kDone, StepState::kFailed});
  REQUIRE(s.Retry());
  s.RunToEnd();
  REQUIRE(s.Get().state == OperationState::kFailed);
  REQUIRE(s.Retry());
  const absl::Time again = s.clock.Now();
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b", "c", "~c", "~a", "a", "b", "c", "~c", "~a", "a", "b", "c"});
  const Operation ended = s.Get();
  CHECK(ended.state == OperationState::kSucceeded);
  CHECK(ended.steps[0].started_at == again);
  CHECK(ended.steps[0].attempts == 3);
  // No job of an earlier life is taken for one of this.
  CHECK(attempts == std::vector<int>{1, 2, 3});
  REQUIRE(undos.size() == 2);
  CHECK(undos[0] < undos[1]);
}

TEST_CASE("a retried operation may be cancelled before anybody has looked at it",
          "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) { workflow.undo_on_failure = false; });
  s.run["b"] = Break;
  s.Accept();
  s.RunToEnd();
  REQUIRE(s.Retry());
  REQUIRE(s.Cancel());
  s.RunToEnd();
  CHECK(s.trace == Names{"a", "b", "~a"});
  CHECK(s.Get().state == OperationState::kCancelled);
}

TEST_CASE("a crash in the middle of a cancel changes nothing about its end",
          "[unit][taskmanager]") {
  for (int crash_at = 1; crash_at <= 3; ++crash_at) {
    CAPTURE(crash_at);
    Scripted s;
    int calls = 0;
    s.run["c"] = Wait;
    for (const char* name : {"a", "b", "c"})
      s.undo[name] = [&](StepContext&) -> Outcome {
        if (++calls == crash_at) s.lost.request_stop();
        return Done{};
      };
    s.Accept();
    s.RunDue();
    REQUIRE(s.Cancel());
    for (int i = 0; i < 20 && !IsEnded(s.Get().state); ++i) {
      if (s.lost.stop_requested()) {
        s.clock.Advance(absl::Seconds(3));
        s.NewTerm();
      }
      s.RunDue();
    }
    CHECK(s.Get().state == OperationState::kCancelled);
    CHECK(StatesOf(s.Get()) == States{StepState::kUndone, StepState::kUndone, StepState::kUndone});
    CHECK(calls == 4);
  }
}

TEST_CASE("a drain gives an undo back at the next boundary", "[unit][taskmanager]") {
  Scripted s;
  s.run["c"] = Break;
  s.undo["c"] = [&](StepContext&) -> Outcome {
    s.draining.request_stop();
    return Done{};
  };
  s.Accept();
  auto claimed = s.Claim();
  CHECK(s.Run(std::move(claimed.front())) == Result::kReleased);
  CHECK(s.Get().reason == "undoing step b: step c: broken");
  s.draining = std::stop_source();
  s.NewTerm();
  CHECK(s.RunDue() == 1);
  CHECK(s.trace == Names{"a", "b", "c", "~c", "~b", "~a"});
  CHECK(s.Get().state == OperationState::kFailed);
}

}  // namespace
}  // namespace trove::taskmanager
