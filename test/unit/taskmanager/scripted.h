#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libtrove/base/check.h"
#include "services/taskmanager/operation_run.h"
#include "services/taskmanager/workflow.h"
#include "test/support/fake_clock.h"
#include "test/support/seeded_store.h"

namespace trove::taskmanager {

inline Call SoonCall() {
  return CallFor(absl::Seconds(10));
}

/// A workflow `instance.create` of steps a, b and c that say what a test tells them to, on a store
/// in memory; and an engine without threads that takes what is due. What was said and done stands
/// in `trace`: `a` for a run, `~a` for an undo.
struct Scripted {
  using Script = std::function<Outcome(StepContext&)>;
  using Change = std::function<void(Workflow&)>;

  /// `change` may alter the workflow.
  explicit Scripted(Change change = {}) : workflows({Make(change)}) {}

  FakeClock clock;
  std::unique_ptr<Store> own_store = OpenSeededStore(clock);
  Store* store = own_store.get();  ///< a test may put another in front of it
  std::vector<std::string> trace;
  std::map<std::string, Script> run;   ///< by step; absent: Done
  std::map<std::string, Script> undo;  ///< by step; absent: Done
  std::vector<Failure> failures;
  NewInstance made = NewSeededInstance("p1", "instance.create");
  Workflows workflows;
  int terms = 0;
  std::stop_source lost;
  std::stop_source draining;
  std::shared_ptr<const WorkerTerm> term;

  Workflow Make(const Change& change) {
    Workflow workflow;
    workflow.kind = "instance.create";
    workflow.deadline = absl::Minutes(10);
    workflow.help = "ask a human";
    for (const std::string name : {"a", "b", "c"})
      workflow.steps.push_back(MakeStep(name));
    workflow.on_failed = [this](const Failure& failure) {
      failures.push_back(failure);
      return Effects(SetTask{TaskStatus::kBuildingErrorServer});
    };
    workflow.on_cancelled = [] {
      return Effects(SetTask{TaskStatus::kNone});
    };
    if (change) change(workflow);
    return workflow;
  }

  Step MakeStep(const std::string& name) {
    Step step;
    step.name = name;
    step.run = [this, name](StepContext& context) -> Outcome {
      trace.push_back(name);
      return run.contains(name) ? run[name](context) : Done{};
    };
    step.undo = [this, name](StepContext& context) -> Outcome {
      trace.push_back("~" + name);
      return undo.contains(name) ? undo[name](context) : Done{};
    };
    step.limit = absl::Minutes(2);
    step.attempts = 3;
    step.backoff = {absl::Seconds(1), absl::Seconds(8)};
    return step;
  }

  OperationId Accept() {
    const auto accepted = store->CreateInstance(SoonCall(), SeededRequester("p1"), made);
    TROVE_CHECK(accepted.ok());
    return accepted->operation_id;
  }

  /// A process that begins: its own name, nothing lost.
  void NewTerm() {
    lost = std::stop_source();
    const WorkerId id("w" + std::to_string(++terms));
    TROVE_CHECK(store->RenewWorker(SoonCall(), id, absl::Seconds(2)).ok());
    term = std::make_shared<const WorkerTerm>(WorkerTerm{id, lost.get_token()});
  }

  std::vector<ClaimedOperation> Claim() {
    if (term == nullptr || !store->RenewWorker(SoonCall(), term->id, absl::Seconds(2)).ok())
      NewTerm();
    auto claims = store->ClaimDue(SoonCall(), term->id, {.operations = 10});
    TROVE_CHECK(claims.ok());
    return std::move(claims->operations);
  }

  OperationRun::Result Run(ClaimedOperation claimed) {
    OperationRun one(*store, clock, workflows, term, draining.get_token(), std::move(claimed));
    return one.Run();
  }

  /// Runs whatever is due once. How many that were.
  int RunDue() {
    auto claimed = Claim();
    const int count = static_cast<int>(claimed.size());
    for (ClaimedOperation& each : claimed)
      Run(std::move(each));
    return count;
  }

  /// Goes on, moving the clock whenever nothing is due, until the operation has ended.
  void RunToEnd() {
    for (int i = 0; i < 1000 && !IsEnded(Get().state); ++i)
      if (RunDue() == 0) clock.Advance(absl::Milliseconds(500));
  }

  /// Somebody asks for a cancel. False: it was refused.
  bool Cancel() {
    return store->CancelOperation(SoonCall(), SeededRequester("p1"), made.operation.id).ok();
  }
  bool Retry() {
    return store->RetryOperation(SoonCall(), SeededRequester("p1"), made.operation.id).ok();
  }

  Operation Get() {
    const auto operation = store->GetOperation(SoonCall(), std::nullopt, made.operation.id);
    TROVE_CHECK(operation.ok());
    return *operation;
  }

  Instance GetInstance() {
    const auto view = store->GetInstance(SoonCall(), std::nullopt, made.instance.id);
    TROVE_CHECK(view.ok());
    return view->instance;
  }
};

inline std::vector<StepState> StatesOf(const Operation& operation) {
  std::vector<StepState> states;
  for (const StepRecord& step : operation.steps)
    states.push_back(step.state);
  return states;
}

}  // namespace trove::taskmanager
