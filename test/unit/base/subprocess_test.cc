#include "libtrove/base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

namespace trove {
namespace {

ProgramSpec Shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script}, .environment = {"PATH=/usr/bin:/bin"}};
}

absl::StatusOr<ProgramResult> RunShell(const std::string& script,
                                       absl::Duration within = absl::Seconds(60)) {
  return RunProgram(CallFor(within), Shell(script));
}

// Neither gone nor a corpse that nobody has reaped yet.
bool IsRunning(const std::string& pid) {
  const absl::StatusOr<std::string> stat = ReadFile("/proc/" + pid + "/stat");
  if (!stat.ok()) return false;
  const std::size_t name_end = stat->rfind(')');
  return name_end != std::string::npos && (*stat)[name_end + 2] != 'Z';
}

std::string FirstLine(const std::filesystem::path& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok() || text->find('\n') == std::string::npos) return "";
  return text->substr(0, text->find('\n'));
}

TEST_CASE("a program's end and output come back", "[unit][base]") {
  const auto result = RunShell("echo out; echo err >&2; exit 3");
  CHECK(result.value().exit_code == 3);
  CHECK(result.value().output == "out\nerr\n");
}

TEST_CASE("a signal that ended a program is 128 and its number", "[unit][base]") {
  CHECK(RunShell("kill -TERM $$").value().exit_code == 128 + SIGTERM);
  CHECK(RunShell("kill -KILL $$").value().exit_code == 128 + SIGKILL);
}

TEST_CASE("of a long output the last 64 KiB are kept", "[unit][base]") {
  const auto result = RunShell("i=0; while [ $i -lt 40000 ]; do echo line$i; i=$((i+1)); done");
  const std::string& output = result.value().output;
  CHECK(output.size() == 64 << 10);
  CHECK(output.ends_with("line39999\n"));
}

TEST_CASE("a program that cannot start is an error that names it", "[unit][base]") {
  const TemporaryDirectory folder;
  const auto missing = RunProgram(CallFor(absl::Seconds(60)), {.argv = {"/no/such/program"}});
  CHECK(absl::IsNotFound(missing.status()));
  CHECK_THAT(MessageOf(missing.status()), Catch::Contains("/no/such/program"));
  const auto folder_itself =
      RunProgram(CallFor(absl::Seconds(60)), {.argv = {folder.path().string()}});
  CHECK(absl::IsPermissionDenied(folder_itself.status()));
  ProgramSpec closed = Shell("true");
  closed.output = folder / "no" / "log";
  const auto no_output = Spawn(closed);
  CHECK(absl::IsNotFound(no_output.status()));
  CHECK_THAT(MessageOf(no_output.status()), Catch::Contains("no/log"));
}

TEST_CASE("the environment is what was named and no more", "[unit][base]") {
  ::setenv("TROVE_TEST_INHERITED", "secret", 1);
  const auto result = RunProgram(CallFor(absl::Seconds(60)),
                                 {.argv = {"/usr/bin/env"}, .environment = {"A=b", "C="}});
  ::unsetenv("TROVE_TEST_INHERITED");
  CHECK(result.value().output == "A=b\nC=\n");
}

TEST_CASE("no descriptor but the first three is inherited", "[unit][base]") {
  const int fd = ::open("/dev/null", O_RDONLY);  // on purpose without O_CLOEXEC
  REQUIRE(::dup2(fd, 77) == 77);
  const auto result = RunShell(
      "for fd in /proc/self/fd/*; do case ${fd##*/} in 0|1|2) ;; *) test -e $fd && echo $fd;; "
      "esac; done; "
      "test -e /proc/self/fd/77 && echo inherited; cat");
  ::close(fd);
  ::close(77);
  CHECK(result.value().output.empty());
}

TEST_CASE("signals that the caller blocks or ignores work in the program", "[unit][base]") {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto handler = ::signal(SIGINT, SIG_IGN);
  const auto terminated = RunShell("kill -TERM $$; echo alive");
  const auto interrupted = RunShell("kill -INT $$; echo alive");
  ::signal(SIGINT, handler);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(terminated.value().exit_code == 128 + SIGTERM);
  CHECK(interrupted.value().exit_code == 128 + SIGINT);
}

TEST_CASE("a late program is killed with all of its group", "[unit][base]") {
  const TemporaryDirectory folder;
  const std::string pid_file = (folder / "pid").string();
  const auto result =
      RunShell("sleep 1000 & echo $! > " + pid_file + "; trap '' TERM; wait", absl::Seconds(2));
  CHECK(absl::IsDeadlineExceeded(result.status()));
  CHECK_THAT(MessageOf(result.status()), Catch::Contains("/bin/sh"));
  const std::string grandchild = FirstLine(pid_file);
  REQUIRE_FALSE(grandchild.empty());
  CHECK(Eventually(absl::Seconds(10), [&] { return !IsRunning(grandchild); }));
}

TEST_CASE("a program that never stops writing is killed in time", "[unit][base]") {
  const auto result = RunProgram(CallFor(absl::Milliseconds(200)), {.argv = {"/usr/bin/yes"}});
  CHECK(absl::IsDeadlineExceeded(result.status()));
}

TEST_CASE("a caller that leaves ends the program", "[unit][base]") {
  const TemporaryDirectory folder;
  std::stop_source source;
  const std::jthread leaver([&] {
    Eventually(absl::Seconds(30), [&] { return !FirstLine(folder / "pid").empty(); });
    source.request_stop();
  });
  const auto result =
      RunProgram(CallFor(absl::Minutes(5), source.get_token()),
                 Shell("echo $$ > " + (folder / "pid").string() + "; exec sleep 1000"));
  CHECK(absl::IsCancelled(result.status()));
  CHECK_FALSE(IsRunning(FirstLine(folder / "pid")));
}

TEST_CASE("a call that has ended starts nothing", "[unit][base]") {
  const TemporaryDirectory folder;
  const std::string file = (folder / "started").string();
  CHECK(absl::IsDeadlineExceeded(RunShell("echo > " + file, -absl::Seconds(1)).status()));
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("what a program leaves behind neither delays its end nor lives on", "[unit][base]") {
  // The grandchild holds the output open; without care the caller would wait for it.
  const TemporaryDirectory folder;
  const std::string pid_file = (folder / "pid").string();
  const auto result = RunShell("sleep 1000 & echo $! > " + pid_file + "; echo done");
  CHECK(result.value().exit_code == 0);
  CHECK(result.value().output == "done\n");
  CHECK(Eventually(absl::Seconds(10), [&] { return !IsRunning(FirstLine(pid_file)); }));
}

TEST_CASE("a program that closes its output early is waited for", "[unit][base]") {
  const TemporaryDirectory folder;
  const std::string file = (folder / "late").string();
  const auto result = RunShell("exec >&- 2>&-; sleep 0.1; echo > " + file + "; exit 5");
  CHECK(result.value().exit_code == 5);
  CHECK(std::filesystem::exists(file));
}

TEST_CASE("a spawned program appends to its file in a session of its own", "[unit][base]") {
  const TemporaryDirectory folder;
  REQUIRE(WriteFileAtomically(folder / "log", "before\n", 0600).ok());
  ProgramSpec spec = Shell("echo after; echo error >&2; exec sleep 1000");
  spec.output = folder / "log";
  spec.new_session = true;
  const pid_t pid = Spawn(spec).value();
  CHECK(Eventually(absl::Seconds(30),
                   [&] { return ReadFile(folder / "log").value() == "before\nafter\nerror\n"; }));
  CHECK(::getsid(pid) == pid);
  ::kill(pid, SIGKILL);
  CHECK(::waitpid(pid, nullptr, 0) == pid);
}

TEST_CASE("pid and start time name one process", "[unit][base]") {
  const std::uint64_t own = ProcessStartTicks(::getpid()).value();
  CHECK(own > 0);
  CHECK(ProcessStartTicks(::getpid()).value() == own);
  const pid_t child = Spawn(Shell("exit 0")).value();
  CHECK(ProcessStartTicks(child).value() >= own);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(absl::IsNotFound(ProcessStartTicks(child).status()));
}

TEST_CASE("a boot has one id", "[unit][base]") {
  CHECK(BootId().value().size() == 36);
  CHECK(BootId().value() == BootId().value());
}

TEST_CASE("a program is found in PATH first and in the system's folders", "[unit][base]") {
  const TemporaryDirectory folder;
  const char* path = std::getenv("PATH");
  const std::string before = path == nullptr ? "" : path;
  ::setenv("PATH", folder.path().c_str(), 1);
  std::filesystem::create_directory(folder / "env");  // a folder of that name is no program
  REQUIRE(WriteFileAtomically(folder / "mine", "#!/bin/sh\n", 0755).ok());
  REQUIRE(WriteFileAtomically(folder / "data", "", 0644).ok());
  CHECK(FindProgram("mine").value() == folder / "mine");
  CHECK(FindProgram("env").value() == "/usr/bin/env");
  const absl::Status missing = FindProgram("data").status();
  ::setenv("PATH", before.c_str(), 1);
  CHECK(absl::IsNotFound(missing));
  CHECK_THAT(MessageOf(missing), Catch::Contains("data"));
}

}  // namespace
}  // namespace trove
