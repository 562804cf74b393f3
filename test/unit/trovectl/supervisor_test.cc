#include "tools/trovectl/launch/supervisor.h"

#include <signal.h>
#include <sys/wait.h>

#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/support/temporary_directory.h"
#include "tools/trovectl/launch/process.h"
#include "tools/trovectl/launch/signals.h"

namespace trove::trovectl {
namespace {

// A program that shows that it works by a file that it touches.
class Stage {
 public:
  explicit Stage(Supervisor::Options options)
      : terminal_(-1, -1), supervisor_(terminal_, Quick(options)) {
    BlockLauncherSignals();
    terminal_.LogTo(folder_ / "launcher.log");
  }

  void Start(const std::string& script) {
    ChildSpec spec;
    spec.name = "worker";
    spec.program.argv = {"/bin/sh", "-c", script};
    spec.program.environment = {"PATH=/usr/bin:/bin", "BEAT=" + (folder_ / "beat").string()};
    spec.program.output = folder_ / "worker.log";
    spec.pid_file = folder_ / "worker.pid";
    spec.probe = [beat = folder_ / "beat"](const Call&) {
      std::error_code error;
      return std::filesystem::remove(beat, error) ? absl::OkStatus()
                                                  : absl::UnavailableError("no beat");
    };
    const absl::Status started = supervisor_.Start(std::move(spec));
    REQUIRE(started.ok());
  }

  ProcessMark Worker() const {
    return ParseMark(ReadFile(folder_ / "worker.pid").value_or("")).value_or(ProcessMark());
  }
  std::string Said() const { return ReadFile(folder_ / "launcher.log").value_or(""); }
  Supervisor& supervisor() { return supervisor_; }

  // Tends until the log has `text`.
  bool TendsUntil(const std::string& text) {
    const absl::Time until = absl::Now() + absl::Seconds(20);
    while (Said().find(text) == std::string::npos) {
      if (absl::Now() > until || !supervisor_.Tend(absl::Milliseconds(20))) return false;
    }
    return true;
  }

 private:
  static Supervisor::Options Quick(Supervisor::Options options) {
    options.probe_every = absl::Milliseconds(100);
    options.probe_again = absl::Milliseconds(50);
    options.restart = {absl::Milliseconds(10), absl::Milliseconds(100)};
    return options;
  }

  const TemporaryDirectory folder_;
  Terminal terminal_;
  Supervisor supervisor_;
};

constexpr char kBeating[] = "while :; do : >$BEAT; sleep 0.02; done";

TEST_CASE("a process that stands still is killed and started again", "[unit][trovectl]") {
  Stage stage({.hang_limit = absl::Milliseconds(600)});
  stage.Start(kBeating);
  const ProcessMark before = stage.Worker();
  REQUIRE(before.pid > 1);
  REQUIRE(::kill(before.pid, SIGSTOP) == 0);
  CHECK(stage.TendsUntil("worker serves again"));
  CHECK(stage.Said().find("has not answered for") != std::string::npos);
  CHECK(stage.Said().find("worker was ended by signal 9") != std::string::npos);
  CHECK_FALSE(IsAlive(before));
  CHECK(stage.Worker().pid != before.pid);
}

TEST_CASE("a process that stands still for a moment is left alone", "[unit][trovectl]") {
  Stage stage({.hang_limit = absl::Seconds(15)});
  stage.Start(kBeating);
  const ProcessMark before = stage.Worker();
  REQUIRE(::kill(before.pid, SIGSTOP) == 0);
  CHECK(stage.supervisor().Tend(absl::Milliseconds(500)));
  REQUIRE(::kill(before.pid, SIGCONT) == 0);
  CHECK(stage.supervisor().Tend(absl::Milliseconds(500)));
  CHECK(IsAlive(before));
  CHECK(stage.Worker() == before);
}

TEST_CASE("a process that was stopped by a signal ends when all do", "[unit][trovectl]") {
  Stage stage({.hang_limit = absl::ZeroDuration()});
  stage.Start(kBeating);
  const ProcessMark before = stage.Worker();
  REQUIRE(::kill(before.pid, SIGSTOP) == 0);
  const absl::Time begun = absl::Now();
  stage.supervisor().StopAll();
  CHECK_FALSE(IsAlive(before));
  CHECK(absl::Now() - begun < absl::Seconds(10));
}

TEST_CASE("a process that comes up and never serves is killed and tried again",
          "[unit][trovectl]") {
  Stage stage({.start_limit = absl::Milliseconds(500), .hang_limit = absl::Milliseconds(500)});
  // It beats the first time and only sleeps later.
  stage.Start("[ -e $BEAT.once ] && sleep 100; : >$BEAT.once; " + std::string(kBeating));
  REQUIRE(::kill(stage.Worker().pid, SIGKILL) == 0);
  CHECK(stage.TendsUntil("has not answered for"));
}

}  // namespace
}  // namespace trove::trovectl
