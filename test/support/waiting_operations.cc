#include "test/support/waiting_operations.h"

#include <atomic>
#include <thread>
#include <vector>

#include "libtrove/base/check.h"
#include "test/support/eventually.h"
#include "test/support/seeded_store.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(4);
constexpr int kAcceptors = 16;

Workflow WaitWorkflow() {
  Workflow workflow;
  workflow.kind = "instance.create";
  workflow.deadline = absl::Hours(2);
  workflow.steps.push_back(
      {.name = "wait",
       .run = [](StepContext& context) -> Outcome {
         if (context.FindSignal("go") != nullptr) return Done{};
         return WaitFor{"waits for a word that takes long", "go", absl::Hours(1), {}};
       },
       .limit = absl::Hours(2)});
  return workflow;
}

}  // namespace

WaitingOperations::WaitingOperations()
    : store_(OpenSeededStore(folder_ / "trove.db", clock_)),
      workflows_({WaitWorkflow()}),
      lease_(*store_, {}),
      engine_(*store_, clock_, workflows_, lease_, {.threads = 8, .queue = 32}) {}

WaitingOperations::~WaitingOperations() {
  engine_.Drain(absl::Seconds(5));
}

void WaitingOperations::Begin(int count) {
  {
    std::atomic<int> left = count;
    std::vector<std::jthread> acceptors;
    for (int i = 0; i < kAcceptors; ++i)
      acceptors.emplace_back([&] {
        for (int place = --left; place >= 0; place = --left) {
          const NewInstance made =
              NewSeededInstance("p" + std::to_string(place % 100), "instance.create");
          TROVE_CHECK(store_
                          ->CreateInstance(CallFor(kPatience),
                                           SeededRequester(made.instance.project_id.value()),
                                           made)
                          .ok());
          if (place == 0) last_ = made.operation.id;
        }
      });
  }
  begun_ += count;
  engine_.Wake();
  // A waiting one is held by nobody.
  const auto all_wait = [&] {
    const auto counts = store_->CountEngine(CallFor(kPatience), WorkerId("nobody"));
    TROVE_CHECK(counts.ok());
    if (counts->open_operations != begun_ || engine_.held() > 0) return false;
    const auto pending = store_->ListOperations(
        CallFor(kPatience),
        {.project = {}, .instance = {}, .kind = "", .states = {OperationState::kPending}},
        "",
        1);
    TROVE_CHECK(pending.ok());
    return pending->operations.empty();
  };
  TROVE_CHECK(Eventually(kPatience, all_wait));
}

bool WaitingOperations::EndOne() {
  TROVE_CHECK(store_->PostSignal(CallFor(kPatience), last_, {"go", "", absl::Now()}).ok());
  engine_.Wake(last_);
  return Eventually(absl::Seconds(10), [&] { return engine_.finished() == 1; });
}

}  // namespace trove::taskmanager
