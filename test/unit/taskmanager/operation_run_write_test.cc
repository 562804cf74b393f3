#include <algorithm>

#include <catch2/catch.hpp>

#include "services/taskmanager/operation_run.h"
#include "test/support/forwarding_store.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

using Names = std::vector<std::string>;
using Result = OperationRun::Result;

/// Refuses some writes for what they say.
class Picky final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using Taste = std::function<bool(const OperationWrite&)>;

  Taste refuses = [](const OperationWrite&) {
    return false;
  };
  int writes = 0;

  absl::StatusOr<OperationWritten> WriteOperation(const Call& call,
                                                  const WorkerId& worker,
                                                  const OperationWrite& write) override {
    if (refuses(write)) return absl::InvalidArgumentError("not to my taste");
    ++writes;
    return store_.WriteOperation(call, worker, write);
  }
};

bool IsPlain(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

TEST_CASE("an end that the store refuses is said more plainly", "[unit][taskmanager]") {
  Scripted s;
  Picky picky(*s.own_store);
  s.store = &picky;
  picky.refuses = [](const OperationWrite& write) {
    return !write.effects.empty() || write.operation.error.size() > 1000;
  };
  s.run["b"] = [](StepContext& context) -> Outcome {
    context.SetFact("a note", "of some length");
    return Fail{"the server said: \xff\xfe\n" + std::string(2000, 'x'), ""};
  };
  for (const char* name : {"a", "b"})
    s.undo[name] = [](StepContext&) {
      return Done{};
    };
  s.workflows = Workflows({s.Make([](Workflow& workflow) { workflow.undo_on_failure = false; })});
  s.Accept();
  auto claimed = s.Claim();
  CHECK(s.Run(std::move(claimed.front())) == Result::kEnded);
  const Operation ended = s.Get();
  CHECK(ended.state == OperationState::kFailed);
  CHECK(ended.error.starts_with("step b: the server said: ???"));
  CHECK(IsPlain(ended.error));
  CHECK(s.GetInstance().task != TaskStatus::kBuildingErrorServer);  // said without effects
}

TEST_CASE("what a step says need not be text", "[unit][taskmanager]") {
  Scripted s;
  s.run["b"] = [](StepContext& context) -> Outcome {
    context.SetFact("note", "\xff");
    return Fail{"the server said: \xff\xfe", "\xff"};
  };
  s.undo["b"] = [](StepContext&) -> Outcome {
    return WaitFor{"\xff", "", absl::Seconds(1), {}};
  };
  s.Accept();
  s.RunDue();
  s.undo.clear();
  s.clock.Advance(absl::Seconds(1));
  s.RunDue();  // from what was stored
  CHECK(s.Get().state == OperationState::kFailed);
  CHECK(s.Get().error == "step b: the server said: ??");
  CHECK(s.trace == Names{"a", "b", "~b", "~b", "~a"});
}

TEST_CASE("an end that is refused whatever it says frees the operation for a later look",
          "[unit][taskmanager]") {
  Scripted s;
  Picky picky(*s.own_store);
  s.store = &picky;
  picky.refuses = [](const OperationWrite& write) {
    return IsEnded(write.operation.state);
  };
  s.Accept();
  auto claimed = s.Claim();
  s.run["c"] = [](StepContext&) {
    return Fail{"broken", ""};
  };
  CHECK(s.Run(std::move(claimed.front())) == Result::kReleased);
  const Operation waiting = s.Get();
  CHECK_FALSE(IsEnded(waiting.state));
  CHECK(waiting.reason == "its outcome could not be recorded: not to my taste");
  CHECK(waiting.due_at > s.clock.Now() + absl::Seconds(10));
  CHECK(waiting.due_at <= s.clock.Now() + absl::Seconds(30));
  picky.refuses = [](const OperationWrite&) {
    return false;
  };
  s.RunToEnd();
  CHECK(s.Get().state == OperationState::kFailed);
}

TEST_CASE("a run whose every word is refused can go on later", "[unit][taskmanager]") {
  Scripted s;
  Picky picky(*s.own_store);
  s.store = &picky;
  picky.refuses = [&](const OperationWrite& write) {
    return write.operation.current_step > 0;
  };
  s.Accept();
  auto claimed = s.Claim();
  OperationRun run(
      *s.store, s.clock, s.workflows, s.term, s.draining.get_token(), std::move(claimed.front()));
  s.run["a"] = [&](StepContext&) {
    picky.refuses = [](const OperationWrite&) {
      return true;
    };
    return Done{};
  };
  CHECK(run.Run() == Result::kHeld);
  picky.refuses = [](const OperationWrite&) {
    return false;
  };
  s.run.clear();
  CHECK(run.Run() == Result::kEnded);
  CHECK(s.Get().state == OperationState::kSucceeded);
}

TEST_CASE("a wait whose effects are refused counts as an attempt", "[unit][taskmanager]") {
  Scripted s;
  Picky picky(*s.own_store);
  s.store = &picky;
  picky.refuses = [](const OperationWrite& write) {
    return !write.effects.empty() && write.operation.state == OperationState::kWaiting;
  };
  s.run["a"] = [](StepContext&) {
    return WaitFor{"waits", "", absl::Seconds(1), Effects(SetVolumeState{VolumeState::kReady})};
  };
  s.Accept();
  s.RunToEnd();
  CHECK(s.Get().state == OperationState::kFailed);
  CHECK(s.Get().error == "step a: failed 3 times, the last time: not to my taste");
}

TEST_CASE("steps that may be written together are", "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) {
    workflow.steps[0].repeats_late = true;
    workflow.steps[2].only_effects = true;
  });
  Picky picky(*s.own_store);
  s.store = &picky;
  s.run["a"] = [](StepContext& context) -> Outcome {
    context.SetFact("seen", "a");
    return Done{};
  };
  s.run["b"] = [&](StepContext& context) -> Outcome {
    CHECK(context.Fact("seen") == "a");
    return Done{Effects(SetVolumeState{VolumeState::kReady})};
  };
  s.run["c"] = [](StepContext&) {
    return Done{Effects(SetTask{TaskStatus::kNone})};
  };

  SECTION("in one write") {
    s.Accept();
    CHECK(s.RunDue() == 1);
    CHECK(picky.writes == 1);
    CHECK(s.Get().state == OperationState::kSucceeded);
    CHECK(s.GetInstance().task == TaskStatus::kNone);
  }
  SECTION("the last of which clears a fault of before") {
    s.run["a"] = [](StepContext& context) {
      context.SetFact("seen", "a");
      return Done{Effects(SetFault{"it failed", "mend it"})};
    };
    s.Accept();
    CHECK(s.RunDue() == 1);
    CHECK_FALSE(s.GetInstance().fault);
  }
  SECTION("but a later step sees what an earlier one said") {
    s.run["a"] = [](StepContext&) {
      return Done{Effects(SetVolumeState{VolumeState::kReady})};
    };
    s.run["b"] = [](StepContext& context) -> Outcome {
      const auto target = context.Target();
      REQUIRE(target.ok());
      CHECK(target->volume.state == VolumeState::kReady);
      return Done{};
    };
    s.Accept();
    CHECK(s.RunDue() == 1);
    CHECK(picky.writes == 2);
  }
  SECTION("and one by one when the store refuses them together") {
    picky.refuses = [](const OperationWrite& write) {
      // Besides the clearing of an old fault, which every good end has.
      return std::count_if(write.effects.begin(), write.effects.end(), [](const Effect& effect) {
               return !std::holds_alternative<SetFault>(effect);
             }) > 1;
    };
    s.Accept();
    CHECK(s.RunDue() == 1);
    CHECK(s.trace == Names{"a", "b", "c", "a", "b", "c"});
    CHECK(s.Get().state == OperationState::kSucceeded);
    CHECK(s.Get().steps[1].attempts == 1);
  }
  SECTION("and a crash before the write does them again") {
    int runs = 0;
    s.run["b"] = [&](StepContext&) -> Outcome {
      if (++runs == 1) s.lost.request_stop();
      return Done{};
    };
    s.Accept();
    s.RunDue();
    s.clock.Advance(absl::Seconds(3));
    s.NewTerm();
    s.RunDue();
    CHECK(s.trace == Names{"a", "b", "a", "b", "c"});
    CHECK(s.Get().state == OperationState::kSucceeded);
  }
}

TEST_CASE("a point of no return is written before anything follows it", "[unit][taskmanager]") {
  Scripted s([](Workflow& workflow) {
    workflow.steps[0].repeats_late = true;
    workflow.steps[0].point_of_no_return = true;
  });
  s.run["b"] = [&](StepContext&) -> Outcome {
    CHECK(s.Get().steps[0].state == StepState::kDone);
    CHECK_FALSE(s.Get().cancellable);
    return Done{};
  };
  s.Accept();
  CHECK(s.RunDue() == 1);
}

TEST_CASE("an operation begins with the newest version and finishes with its own",
          "[unit][taskmanager]") {
  Scripted s;
  const auto version = [&](int number) {
    return s.Make([number](Workflow& workflow) {
      workflow.version = number;
      if (number == 2) workflow.steps.erase(workflow.steps.begin() + 1);
    });
  };
  s.workflows = Workflows({version(1)});
  s.run["b"] = [](StepContext& context) -> Outcome {
    if (context.FindSignal("news") == nullptr)
      return WaitFor{"waits", "news", absl::Minutes(1), {}};
    return Done{};
  };
  s.Accept();
  const OperationId old = s.made.operation.id;
  s.RunDue();
  REQUIRE(s.Get().state == OperationState::kWaiting);

  s.workflows = Workflows({version(1), version(2)});
  CHECK(s.workflows.Newest("instance.create")->version == 2);
  CHECK(s.workflows.Newest("instance.creat") == nullptr);
  CHECK(s.workflows.Newest("instance.zzz") == nullptr);
  REQUIRE(s.store->PostSignal(SoonCall(), old, {"news", "", s.clock.Now()}).ok());
  s.RunDue();
  CHECK(s.trace == Names{"a", "b", "b", "c"});
  CHECK(s.Get().workflow_version == 1);

  s.trace.clear();
  s.made = NewSeededInstance("p1", "instance.create");
  s.Accept();
  s.run["c"] = [](StepContext& context) -> Outcome {
    if (context.FindSignal("news") == nullptr)
      return WaitFor{"waits", "news", absl::Minutes(1), {}};
    return Done{};
  };
  s.RunDue();
  CHECK(s.Get().workflow_version == 2);
  CHECK(s.Get().steps.size() == 2);
  // A third version comes, and it still finishes with the second.
  s.workflows = Workflows({version(1), version(2), version(3)});
  REQUIRE(s.store->PostSignal(SoonCall(), s.made.operation.id, {"news", "", s.clock.Now()}).ok());
  s.RunDue();
  CHECK(s.trace == Names{"a", "c", "c"});
  CHECK(s.Get().state == OperationState::kSucceeded);
}

}  // namespace
}  // namespace trove::taskmanager
