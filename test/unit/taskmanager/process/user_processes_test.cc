#include "services/taskmanager/process/user_processes.h"

#include <sys/wait.h>

#include <csignal>

#include <catch2/catch.hpp>

#include "libtrove/base/subprocess.h"
#include "libtrove/base/uuid.h"

namespace trove::taskmanager {
namespace {

pid_t SleeperNamed(const std::string& name) {
  ProgramSpec program;
  program.argv = {"/bin/sh", "-c", "while :; do sleep 1; done", name};
  return *Spawn(program);
}

TEST_CASE("the processes that name a text are ended, stopped ones and unreaped ones too",
          "[unit][process]") {
  const std::string name = "/guests/" + NewUuid() + "/";
  const pid_t meant = SleeperNamed(name + "x");
  const pid_t stopped = SleeperNamed(name + "y");
  const pid_t other = SleeperNamed("/guests/other/");
  REQUIRE(::kill(stopped, SIGSTOP) == 0);
  CHECK(EndProcessesNaming(CallFor(absl::Seconds(20)), name).ok());
  for (const pid_t pid : {meant, stopped}) {
    int status = 0;
    CHECK(::waitpid(pid, &status, WNOHANG) == pid);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  }
  CHECK(::waitpid(other, nullptr, WNOHANG) == 0);
  REQUIRE(::kill(other, SIGKILL) == 0);
  CHECK(::waitpid(other, nullptr, 0) == other);
  CHECK(EndProcessesNaming(CallFor(absl::Seconds(20)), name).ok());
}

}  // namespace
}  // namespace trove::taskmanager
