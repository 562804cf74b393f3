#include "services/taskmanager/engine.h"

#include <atomic>

#include <catch2/catch.hpp>

#include "services/taskmanager/pause.h"
#include "test/support/eventually.h"
#include "test/support/forwarding_store.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

/// An engine with threads on a store in memory; its workflow has one step.
struct Threaded {
  using Script = std::function<Outcome(StepContext&)>;

  explicit Threaded(Script script, Engine::Options options = {})
      : run(std::move(script)),
        workflows({Make()}),
        lease(*store, {.name = "test", .renew_every = absl::Milliseconds(50)}),
        engine(*store, clock, workflows, lease, options) {}

  Workflow Make() {
    Workflow workflow;
    workflow.kind = "instance.create";
    Step step;
    step.name = "only";
    step.run = [this](StepContext& context) {
      return run(context);
    };
    workflow.steps.push_back(std::move(step));
    return workflow;
  }

  OperationId Accept() {
    const NewInstance made = NewSeededInstance("p" + std::to_string(++count), "instance.create");
    const auto accepted =
        store->CreateInstance(SoonCall(), SeededRequester(made.instance.project_id.value()), made);
    TROVE_CHECK(accepted.ok());
    return accepted->operation_id;
  }

  Operation Get(const OperationId& id) {
    const auto operation = store->GetOperation(SoonCall(), std::nullopt, id);
    TROVE_CHECK(operation.ok());
    return *operation;
  }

  SystemClock clock;
  std::unique_ptr<Store> store = OpenSeededStore(clock);
  Script run;
  Workflows workflows;
  WorkerLease lease;
  int count = 0;
  Engine engine;
};

TEST_CASE("what is accepted is done without a hint within a second and with one at once",
          "[unit][taskmanager]") {
  Threaded t([](StepContext&) { return Done{}; });
  REQUIRE(Eventually(absl::Seconds(5), [&] { return t.lease.Current() != nullptr; }));
  const OperationId unhinted = t.Accept();
  CHECK(Eventually(absl::Seconds(5), [&] { return IsEnded(t.Get(unhinted).state); }));
  const OperationId hinted = t.Accept();
  t.engine.Wake();
  CHECK(Eventually(absl::Seconds(5), [&] { return IsEnded(t.Get(hinted).state); }));
  CHECK(Eventually(absl::Seconds(5), [&] { return t.engine.finished() == 2; }));
  CHECK(t.engine.held() == 0);
}

TEST_CASE("no more steps run at a time than there are threads", "[unit][taskmanager]") {
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  Threaded t(
      [&](StepContext& context) {
        const int now = ++running;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        Pause(context.call().stop, absl::Milliseconds(5));
        --running;
        return Done{};
      },
      {.threads = 3, .queue = 2});
  for (int i = 0; i < 40; ++i)
    t.Accept();
  t.engine.Wake();
  CHECK(Eventually(absl::Seconds(20), [&] { return t.engine.finished() == 40; }));
  CHECK(most == 3);
}

TEST_CASE("waiting operations hold no thread", "[unit][taskmanager]") {
  std::atomic<int> runs = 0;
  Threaded t(
      [&](StepContext& context) -> Outcome {
        ++runs;
        if (context.FindSignal("go") != nullptr) return Done{};
        return WaitFor{"waits", "go", absl::Hours(1), {}};
      },
      {.threads = 2, .queue = 0});
  std::vector<OperationId> waiting;
  waiting.reserve(30);
  for (int i = 0; i < 30; ++i)
    waiting.push_back(t.Accept());
  t.engine.Wake();
  REQUIRE(Eventually(absl::Seconds(20), [&] { return runs == 30; }));
  REQUIRE(Eventually(absl::Seconds(5), [&] { return t.engine.held() == 0; }));
  for (const OperationId& id : waiting)
    REQUIRE(t.store->PostSignal(SoonCall(), id, {"go", "", absl::Now()}).ok());
  t.engine.Wake();
  CHECK(Eventually(absl::Seconds(20), [&] { return t.engine.finished() == 30; }));
}

TEST_CASE("no more operations begin on a host than its limit", "[unit][taskmanager]") {
  std::atomic<int> runs = 0;
  Threaded t(
      [&](StepContext& context) -> Outcome {
        ++runs;
        if (context.FindSignal("go") != nullptr) return Done{};
        return WaitFor{"waits", "go", absl::Hours(1), {}};
      },
      {.operations_per_host = 2, .host = "process:here"});
  std::vector<OperationId> accepted;
  for (int i = 0; i < 5; ++i)
    accepted.push_back(t.Accept());
  t.engine.Wake();
  std::size_t done = 0;
  while (done < accepted.size()) {
    // Those that have begun wait; the others have not begun.
    std::vector<OperationId> waiting;
    REQUIRE(Eventually(absl::Seconds(5), [&] {
      waiting.clear();
      for (const OperationId& id : accepted)
        if (t.Get(id).state == OperationState::kWaiting) waiting.push_back(id);
      return waiting.size() == std::min<std::size_t>(2, accepted.size() - done);
    }));
    for (const OperationId& id : waiting)
      REQUIRE(t.store->PostSignal(SoonCall(), id, {"go", "", absl::Now()}).ok());
    t.engine.Wake();
    done += waiting.size();
    REQUIRE(Eventually(absl::Seconds(5),
                       [&] { return t.engine.finished() == static_cast<std::int64_t>(done); }));
  }
  CHECK(runs == 10);
}

TEST_CASE("a drain lets a step end and begins no other", "[unit][taskmanager]") {
  std::atomic<bool> begun = false;
  std::atomic<bool> go = false;
  Threaded t([&](StepContext&) -> Outcome {
    begun = true;
    if (!Eventually(absl::Seconds(20), [&] { return go.load(); })) return Fail{"too late", ""};
    return Done{};
  });
  const OperationId id = t.Accept();
  t.engine.Wake();
  REQUIRE(Eventually(absl::Seconds(5), [&] { return begun.load(); }));
  const std::jthread setter([&] { go = true; });
  t.engine.Drain(absl::Seconds(20));
  CHECK(t.Get(id).state == OperationState::kSucceeded);
  CHECK(t.lease.Current() == nullptr);
  const OperationId later = t.Accept();
  t.engine.Wake();
  CHECK(t.engine.held() == 0);
  CHECK(t.Get(later).state == OperationState::kPending);
}

TEST_CASE("a drain whose grace is over drops the step and another process does it again",
          "[unit][taskmanager]") {
  std::atomic<int> begun = 0;
  Threaded t([&](StepContext& context) -> Outcome {
    if (++begun > 1) return Done{};
    Pause(context.call().stop, absl::Seconds(20));
    return Fail{"nobody must hear this", ""};
  });
  const OperationId id = t.Accept();
  t.engine.Wake();
  REQUIRE(Eventually(absl::Seconds(5), [&] { return begun == 1; }));
  t.engine.Drain(absl::Milliseconds(10));
  CHECK_FALSE(IsEnded(t.Get(id).state));
  WorkerLease other_lease(*t.store, {});
  Engine other(*t.store, t.clock, t.workflows, other_lease, {});
  CHECK(
      Eventually(absl::Seconds(5), [&] { return t.Get(id).state == OperationState::kSucceeded; }));
}

TEST_CASE("a hint about a held operation interrupts a step that is to be cancelled",
          "[unit][taskmanager]") {
  std::atomic<int> begun = 0;
  Threaded t(
      [&](StepContext& context) -> Outcome {
        ++begun;
        Pause(context.call().stop, absl::Seconds(20));
        return OutcomeOf(absl::CancelledError("interrupted"));
      },
      {.look_after = absl::Milliseconds(1)});
  const OperationId id = t.Accept();
  t.engine.Wake();
  REQUIRE(Eventually(absl::Seconds(5), [&] { return begun == 1; }));
  t.engine.Wake(id);  // nobody wants it to stop: it goes on
  REQUIRE(t.store->CancelOperation(SoonCall(), SeededRequester("p1"), id).ok());
  t.engine.Wake(id);
  CHECK(
      Eventually(absl::Seconds(5), [&] { return t.Get(id).state == OperationState::kCancelled; }));
  CHECK(begun == 1);
}

TEST_CASE("a delete interrupts the operation that it replaces", "[unit][taskmanager]") {
  std::atomic<int> begun = 0;
  std::atomic<bool> interrupted = false;
  Threaded t([&](StepContext& context) -> Outcome {
    if (++begun > 1) return Done{};
    interrupted = !Pause(context.call().stop, absl::Seconds(20));
    return Fail{"nobody must hear this", ""};
  });
  const NewInstance made = NewSeededInstance("p1", "instance.create");
  REQUIRE(t.store->CreateInstance(SoonCall(), SeededRequester("p1"), made).ok());
  t.engine.Wake();
  REQUIRE(Eventually(absl::Seconds(5), [&] { return begun == 1; }));
  // The workflow's kind plays no part here.
  NewAction action = NewSeededAction(made.instance.id, "instance.other", TaskStatus::kDeleting);
  REQUIRE(t.store->BeginDelete(SoonCall(), SeededRequester("p1"), action).ok());
  t.engine.Wake();
  CHECK(Eventually(absl::Seconds(5), [&] { return interrupted.load(); }));
  CHECK(t.Get(made.operation.id).state == OperationState::kCancelled);
  CHECK(Eventually(absl::Seconds(5), [&] { return t.engine.held() == 0; }));
}

/// Takes no word about any operation, as long as it is told so.
class Deaf final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::atomic<bool> deaf = true;

  absl::StatusOr<OperationWritten> WriteOperation(const Call& call,
                                                  const WorkerId& worker,
                                                  const OperationWrite& write) override {
    if (deaf) return absl::InvalidArgumentError("no word of it");
    return store_.WriteOperation(call, worker, write);
  }
};

TEST_CASE("an operation that the store takes nothing for is tried again by its holder",
          "[unit][taskmanager]") {
  const SystemClock clock;
  const std::unique_ptr<Store> store = OpenSeededStore(clock);
  Deaf deaf(*store);
  std::atomic<int> runs = 0;
  Workflow workflow;
  workflow.kind = "instance.create";
  workflow.steps.push_back({.name = "only", .run = [&](StepContext&) -> Outcome {
                              ++runs;
                              return Done{};
                            }});
  const Workflows workflows({workflow});
  WorkerLease lease(deaf, {});
  Engine engine(deaf, clock, workflows, lease, {.retry_held = absl::Milliseconds(20)});
  const NewInstance made = NewSeededInstance("p1", "instance.create");
  REQUIRE(store->CreateInstance(SoonCall(), SeededRequester("p1"), made).ok());
  engine.Wake();
  REQUIRE(Eventually(absl::Seconds(5), [&] { return runs >= 2; }));
  CHECK(engine.held() == 1);
  deaf.deaf = false;
  CHECK(Eventually(absl::Seconds(5), [&] { return engine.finished() == 1; }));
  CHECK(engine.held() == 0);
  CHECK(store->GetOperation(SoonCall(), std::nullopt, made.operation.id)->state ==
        OperationState::kSucceeded);
}

/// Makes one claim, and does not say so.
class Mumbling final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::atomic<bool> mumbles = true;

  absl::StatusOr<Claims> ClaimDue(const Call& call,
                                  const WorkerId& worker,
                                  const ClaimLimits& limits) override {
    auto claims = store_.ClaimDue(call, worker, limits);
    if (claims.ok() && !claims->operations.empty() && mumbles.exchange(false))
      return absl::DeadlineExceededError("too late");
    return claims;
  }
};

TEST_CASE("what was claimed and not heard of is claimed again", "[unit][taskmanager]") {
  const SystemClock clock;
  const std::unique_ptr<Store> store = OpenSeededStore(clock);
  Mumbling mumbling(*store);
  Workflow workflow;
  workflow.kind = "instance.create";
  workflow.steps.push_back({.name = "only", .run = [](StepContext&) -> Outcome {
                              return Done{};
                            }});
  const Workflows workflows({workflow});
  WorkerLease lease(mumbling,
                    {.lease = absl::Milliseconds(500), .renew_every = absl::Milliseconds(100)});
  Engine engine(mumbling, clock, workflows, lease, {});
  const NewInstance made = NewSeededInstance("p1", "instance.create");
  REQUIRE(store->CreateInstance(SoonCall(), SeededRequester("p1"), made).ok());
  engine.Wake();
  CHECK(Eventually(absl::Seconds(10), [&] { return engine.finished() == 1; }));
  CHECK_FALSE(mumbling.mumbles);
}

TEST_CASE("a workflow that throws is tried again", "[unit][taskmanager]") {
  const SystemClock clock;
  const std::unique_ptr<Store> store = OpenSeededStore(clock);
  std::atomic<int> throws = 2;
  Workflow workflow;
  workflow.kind = "instance.create";
  workflow.steps.push_back({.name = "only", .run = [](StepContext&) -> Outcome {
                              return Fail{"broken", ""};
                            }});
  workflow.on_failed = [&](const Failure&) -> std::vector<Effect> {
    if (throws-- > 0) throw std::runtime_error("oops");
    return {};
  };
  const Workflows workflows({workflow});
  WorkerLease lease(*store, {});
  Engine engine(*store, clock, workflows, lease, {.retry_held = absl::Milliseconds(10)});
  const NewInstance made = NewSeededInstance("p1", "instance.create");
  REQUIRE(store->CreateInstance(SoonCall(), SeededRequester("p1"), made).ok());
  engine.Wake();
  CHECK(Eventually(absl::Seconds(10), [&] { return engine.finished() == 1; }));
  CHECK(store->GetOperation(SoonCall(), std::nullopt, made.operation.id)->error ==
        "step only: broken");
}

TEST_CASE("a drain does not wait for an operation that the store takes nothing for",
          "[unit][taskmanager]") {
  const SystemClock clock;
  const std::unique_ptr<Store> store = OpenSeededStore(clock);
  Deaf deaf(*store);
  Workflow workflow;
  workflow.kind = "instance.create";
  std::atomic<int> runs = 0;
  workflow.steps.push_back({.name = "only", .run = [&](StepContext&) -> Outcome {
                              ++runs;
                              return Done{};
                            }});
  const Workflows workflows({workflow});
  WorkerLease lease(deaf, {});
  Engine engine(deaf, clock, workflows, lease, {.retry_held = absl::Hours(1)});
  const NewInstance made = NewSeededInstance("p1", "instance.create");
  REQUIRE(store->CreateInstance(SoonCall(), SeededRequester("p1"), made).ok());
  engine.Wake();
  REQUIRE(Eventually(absl::Seconds(5), [&] { return runs >= 1; }));
  const absl::Time began = absl::Now();
  engine.Drain(absl::Seconds(30));
  CHECK(absl::Now() - began < absl::Seconds(10));
}

}  // namespace
}  // namespace trove::taskmanager
