#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/subprocess.h"
#include "services/taskmanager/engine.h"
#include "services/taskmanager/worker_lease.h"
#include "test/support/eventually.h"
#include "test/support/seeded_store.h"
#include "test/support/temporary_directory.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

/// One engine_process; killed at the latest when this goes.
class Process {
 public:
  Process(const TemporaryDirectory& folder, const std::string& name, const std::string& mode)
      : output_(folder / (name + ".out")) {
    ProgramSpec spec;
    spec.argv = {ENGINE_PROCESS, folder / "trove.db", name, mode};
    spec.output = output_;
    const auto pid = Spawn(spec);
    REQUIRE(pid.ok());
    pid_ = *pid;
    REQUIRE(Says("ready " + name));
  }
  ~Process() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Stop() {
    ::kill(pid_, SIGSTOP);
    REQUIRE(IsStopped());
  }
  bool IsStopped() {
    return Eventually(kPatience, [&] {
      const auto stat = ReadFile("/proc/" + std::to_string(pid_) + "/stat");
      return stat.ok() && stat->find(") T ") != std::string::npos;
    });
  }
  void Continue() { ::kill(pid_, SIGCONT); }
  bool Says(const std::string& line) {
    return Eventually(kPatience, [&] { return HasSaid(line); });
  }
  bool HasSaid(const std::string& line) const {
    return ReadFile(output_).value_or("").find(line + "\n") != std::string::npos;
  }

 private:
  const std::filesystem::path output_;
  pid_t pid_ = 0;
};

/// A store that processes share, and an engine of this process that others' work falls to. Its
/// outcome sets no task.
struct Shared {
  Shared() {
    Workflow workflow;
    workflow.kind = "instance.create";
    workflow.steps.push_back({.name = "only", .run = [](StepContext&) -> Outcome {
                                return Done{Effects(SetTask{TaskStatus::kNone})};
                              }});
    workflows = std::make_unique<Workflows>(std::vector<Workflow>{workflow});
  }

  void StartEngine() {
    lease = std::make_unique<WorkerLease>(*store, WorkerLease::Options{.name = "here"});
    engine = std::make_unique<Engine>(*store, clock, *workflows, *lease, Engine::Options{});
  }

  NewInstance Accept() {
    NewInstance made = NewSeededInstance("p1", "instance.create");
    REQUIRE(store->CreateInstance(CallFor(kPatience), SeededRequester("p1"), made).ok());
    return made;
  }
  OperationState StateOf(const NewInstance& made) {
    const auto operation = store->GetOperation(CallFor(kPatience), std::nullopt, made.operation.id);
    REQUIRE(operation.ok());
    return operation->state;
  }
  bool Succeeds(const NewInstance& made) {
    return Eventually(kPatience, [&] { return StateOf(made) == OperationState::kSucceeded; });
  }
  TaskStatus TaskOf(const NewInstance& made) {
    const auto view = store->GetInstance(CallFor(kPatience), std::nullopt, made.instance.id);
    REQUIRE(view.ok());
    return view->instance.task;
  }

  const TemporaryDirectory folder;
  const SystemClock clock;
  const std::unique_ptr<Store> store = OpenSeededStore(folder / "trove.db", clock);
  std::unique_ptr<Workflows> workflows;
  std::unique_ptr<WorkerLease> lease;
  std::unique_ptr<Engine> engine;
};

TEST_CASE("what a process wants to say that was stopped past its lease is refused",
          "[integration][taskmanager]") {
  Shared s;
  Process other(s.folder, "other", "step");
  const NewInstance made = s.Accept();
  REQUIRE(other.Says("runs " + made.operation.id.value()));
  other.Stop();
  s.StartEngine();
  REQUIRE(s.Succeeds(made));
  CHECK(s.TaskOf(made) == TaskStatus::kNone);
  other.Continue();
  // It notices, and what its step says then is nobody's business.
  REQUIRE(other.Says("wants " + made.operation.id.value()));
  // It comes back under a new name and does what is due then.
  s.engine.reset();
  s.lease.reset();
  const NewInstance next = s.Accept();
  CHECK(other.Says("runs " + next.operation.id.value()));
  CHECK(s.Succeeds(next));
  CHECK(s.TaskOf(next) == TaskStatus::kRebooting);
  CHECK(s.TaskOf(made) == TaskStatus::kNone);
}

TEST_CASE("a process that is stopped within a transaction past its lease does no harm",
          "[integration][taskmanager]") {
  const std::string mode = GENERATE(as<std::string>(), "before", "within");
  CAPTURE(mode);
  Shared s;
  Process other(s.folder, "other", mode);
  const NewInstance made = s.Accept();
  REQUIRE(other.Says("runs " + made.operation.id.value()));
  REQUIRE(other.IsStopped());
  s.StartEngine();
  // Nobody can write, and nobody may read half of it. Longer than any lease.
  CHECK_FALSE(Eventually(absl::Seconds(3), [&] { return IsEnded(s.StateOf(made)); }));
  other.Continue();
  REQUIRE(s.Succeeds(made));
  // Whoever was first: the other one has said nothing of it.
  const TaskStatus task = s.TaskOf(made);
  if (mode == "before") CHECK(task == TaskStatus::kNone);
  const NewInstance next = s.Accept();
  CHECK(s.Succeeds(next));
  CHECK(s.TaskOf(made) == task);
  const auto counts = s.store->CountEngine(CallFor(kPatience), WorkerId("nobody"));
  REQUIRE(counts.ok());
  CHECK(counts->open_operations == 0);
}

}  // namespace
}  // namespace trove::taskmanager
