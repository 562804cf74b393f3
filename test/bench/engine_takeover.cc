#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <absl/time/clock.h>

#include "libtrove/base/check.h"
#include "services/taskmanager/engine.h"
#include "services/taskmanager/pause.h"
#include "services/taskmanager/worker_lease.h"
#include "test/bench/engine_bench.h"
#include "test/support/seeded_store.h"
#include "test/support/temporary_directory.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

Call AnyCall() {
  return CallFor(kPatience);
}

/// Processes that run operations of one store, and tell by a pipe which step they run.
class Workers {
 public:
  Workers(std::string program, std::string store)
      : program_(std::move(program)), store_(std::move(store)) {}
  ~Workers() {
    while (!output_.empty())
      Kill(output_.begin()->first);
  }

  void Start() {
    int ends[2];
    TROVE_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    const std::string name = "w" + std::to_string(++started_);
    const pid_t pid = ::fork();
    TROVE_CHECK(pid >= 0);
    if (pid == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::execl(program_.c_str(), program_.c_str(), "worker", store_.c_str(), name.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    output_[pid] = ends[0];
  }

  void Kill(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    ::close(output_[pid]);
    output_.erase(pid);
  }

  /// Who says this line next, among all of them.
  std::optional<pid_t> AwaitLine(const std::string& line) {
    const absl::Time end = absl::Now() + kPatience;
    while (absl::Now() < end) {
      std::vector<pollfd> polled;
      std::vector<pid_t> pids;
      for (const auto& [pid, descriptor] : output_) {
        polled.push_back({descriptor, POLLIN, 0});
        pids.push_back(pid);
      }
      ::poll(polled.data(), polled.size(), 100);
      for (std::size_t i = 0; i < polled.size(); ++i) {
        if ((polled[i].revents & POLLIN) == 0) continue;
        char text[4096];
        const ssize_t got = ::read(polled[i].fd, text, sizeof text);
        if (got > 0 &&
            std::string(text, static_cast<std::size_t>(got)).find(line) != std::string::npos)
          return pids[i];
      }
    }
    return std::nullopt;
  }

 private:
  const std::string program_;
  const std::string store_;
  int started_ = 0;
  std::map<pid_t, int> output_;
};

}  // namespace

int RunTakeoverWorker(const std::string& path, const std::string& name) {
  const SystemClock clock;
  const auto store = OpenSeededStore(path, clock);
  Workflow workflow;
  workflow.kind = "instance.create";
  // The first one who runs it is killed in it; the next one ends it.
  workflow.steps.push_back({.name = "hold", .run = [](StepContext& context) -> Outcome {
                              const bool first = context.Fact("held").empty();
                              context.SetFact("held", "yes");
                              if (first && !context.Save({}).ok())
                                return RetryAfter{"lost", std::nullopt};
                              std::printf("%s\n", context.operation().id.value().c_str());
                              std::fflush(stdout);
                              if (first) Pause(context.call().stop, absl::Hours(1));
                              return Done{};
                            }});
  const Workflows workflows({workflow});
  WorkerLease lease(*store, {.name = name});
  Engine engine(*store, clock, workflows, lease, {});
  std::printf("ready %s.\n", name.c_str());
  std::fflush(stdout);
  while (true)
    ::pause();
}

int MeasureTakeover(const std::string& program, int kills) {
  const TemporaryDirectory folder;
  const SystemClock clock;
  const auto store = OpenSeededStore(folder / "trove.db", clock);
  Workers workers(program, folder / "trove.db");
  workers.Start();
  TROVE_CHECK(workers.AwaitLine("ready"));
  std::vector<double> ms;
  for (int i = 0; i < kills; ++i) {
    workers.Start();
    TROVE_CHECK(workers.AwaitLine("ready"));
    const NewInstance made = NewSeededInstance("p1", "instance.create");
    TROVE_CHECK(store->CreateInstance(AnyCall(), SeededRequester("p1"), made).ok());
    const auto holder = workers.AwaitLine(made.operation.id.value());
    TROVE_CHECK(holder);
    // At any place between two renewals of its lease.
    absl::SleepFor(absl::Milliseconds(37 * (i % 14)));
    const absl::Time killed = absl::Now();
    workers.Kill(*holder);
    TROVE_CHECK(workers.AwaitLine(made.operation.id.value()));
    ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - killed));
  }
  std::printf("{\"kills\": %d, \"p50_ms\": %.0f, \"p99_ms\": %.0f, \"max_ms\": %.0f}\n",
              kills,
              Percentile(ms, 0.5),
              Percentile(ms, 0.99),
              Percentile(ms, 1));
  return 0;
}

}  // namespace trove::taskmanager
