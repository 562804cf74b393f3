#include "tools/trovectl/launch/process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/subprocess.h"
#include "test/support/temporary_directory.h"

namespace trove::trovectl {
namespace {

// A process that lives until it is told not to.
class Sleeper {
 public:
  Sleeper() : pid_(Spawn({.argv = {"/bin/sleep", "1000"}}).value()) {}
  ~Sleeper() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  const pid_t pid_;
};

TEST_CASE("a process is known by more than its pid", "[unit][trovectl]") {
  const Sleeper sleeper;
  const ProcessMark mark = MarkProcess(sleeper.pid()).value();
  CHECK(IsAlive(mark));
  CHECK(ParseMark(MarkText(mark)).value() == mark);

  ProcessMark other = mark;
  other.start_ticks += 1;
  CHECK_FALSE(IsAlive(other));
  other = mark;
  other.boot_id = "another boot";
  CHECK_FALSE(IsAlive(other));
  other = mark;
  other.program = "trove-api";
  CHECK_FALSE(IsAlive(other));

  ::kill(sleeper.pid(), SIGKILL);
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(sleeper.pid()), &ended, WEXITED | WNOWAIT);
  CHECK_FALSE(IsAlive(mark));  // not reaped yet
}

TEST_CASE("what is no pid file names no process", "[unit][trovectl]") {
  for (const char* text : {"", "12", "0 1 boot x", "-1 1 boot x", "1 1 boot init", "a b c d"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseMark(text).ok());
  }
}

TEST_CASE("a leftover is ended and its pid file removed", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const std::filesystem::path file = folder / "x.pid";
  CHECK_FALSE(EndLeftover(file, absl::Seconds(5)).value());

  const Sleeper sleeper;
  REQUIRE(WriteFileAtomically(file, MarkText(MarkProcess(sleeper.pid()).value()), 0600).ok());
  CHECK(EndLeftover(file, absl::Seconds(5)).value());
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a process that only has the pid of a leftover is left alone", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const std::filesystem::path file = folder / "x.pid";
  const Sleeper sleeper;
  ProcessMark mark = MarkProcess(sleeper.pid()).value();
  const ProcessMark alive = mark;
  mark.start_ticks -= 1;
  REQUIRE(WriteFileAtomically(file, MarkText(mark), 0600).ok());
  CHECK_FALSE(EndLeftover(file, absl::Seconds(5)).value());
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(IsAlive(alive));
}

}  // namespace
}  // namespace trove::trovectl
