// A process that runs operations of a store, and tells on stdout what its steps do:
//
//   engine_process PATH NAME go|step|before|within
//
// The one step of `instance.create` says `runs ID`. With `step` it then waits until its caller has
// gone, and says `wants ID`. With `before` and `within` the process stops itself (SIGSTOP) in the
// transaction that would record the outcome, before or after that looked at the clock. An outcome
// sets the instance's task to REBOOTING, so that it can be told from everybody else's.

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>
#include <utility>

#include "libtrove/base/clock.h"
#include "libtrove/base/unique_fd.h"
#include "services/taskmanager/engine.h"
#include "services/taskmanager/pause.h"
#include "services/taskmanager/worker_lease.h"
#include "test/support/seeded_store.h"

namespace trove::taskmanager {
namespace {

/// Stops the process when a transaction looks at it that holds the lock at which all processes take
/// turns.
class StoppingClock final : public Clock {
 public:
  explicit StoppingClock(std::string path) : lock_path_(std::move(path) + ".lock") {}

  absl::Time Now() const override {
    if (armed_before && IsLocked() && armed_before.exchange(false)) ::raise(SIGSTOP);
    const absl::Time now = absl::Now();
    if (armed_within && IsLocked() && armed_within.exchange(false)) ::raise(SIGSTOP);
    return now;
  }
  mutable std::atomic<bool> armed_before = false;
  mutable std::atomic<bool> armed_within = false;

 private:
  // Readers look at the clock too, and hold nothing.
  bool IsLocked() const {
    const UniqueFd file(::open(lock_path_.c_str(), O_RDWR | O_CLOEXEC));
    return file.get() >= 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
  }

  const std::string lock_path_;
};

void Say(const std::string& what, const std::string& whom) {
  std::printf("%s %s\n", what.c_str(), whom.c_str());
  std::fflush(stdout);
}

int Main(const std::string& path, const std::string& name, const std::string& mode) {
  const StoppingClock store_clock(path);
  const SystemClock clock;
  const auto store = OpenSeededStore(path, store_clock);
  std::atomic<bool> once = true;
  Workflow workflow;
  workflow.kind = "instance.create";
  workflow.steps.push_back({.name = "only", .run = [&](StepContext& context) -> Outcome {
                              const std::string& id = context.operation().id.value();
                              Say("runs", id);
                              const bool first = once.exchange(false);
                              if (first && mode == "step") {
                                Pause(context.call().stop, absl::Hours(1));
                                Say("wants", id);
                              }
                              if (first && mode == "before") store_clock.armed_before = true;
                              if (first && mode == "within") store_clock.armed_within = true;
                              return Done{Effects(SetTask{TaskStatus::kRebooting})};
                            }});
  const Workflows workflows({workflow});
  WorkerLease lease(*store, {.name = name});
  Engine engine(*store, clock, workflows, lease, {});
  Say("ready", name);
  while (true)
    ::pause();
}

}  // namespace
}  // namespace trove::taskmanager

int main(int argc, char** argv) {
  return argc == 4 ? trove::taskmanager::Main(argv[1], argv[2], argv[3]) : 2;
}
