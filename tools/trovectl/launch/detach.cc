#include "tools/trovectl/launch/detach.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/unique_fd.h"

namespace trove::trovectl {
namespace {

UniqueFd Copy(int fd) {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

[[noreturn]] void RunChild(
    UniqueFd pipe, const std::function<int(Terminal&, const std::function<void()>& ready)>& work) {
  ::setsid();
  // Whoever reads what the caller writes must not wait for this process: it keeps copies that it
  // closes when it is ready.
  UniqueFd out = Copy(STDOUT_FILENO);
  UniqueFd error = Copy(STDERR_FILENO);
  {
    const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      ::dup2(nothing.get(), fd);
  }
  Terminal terminal(out.get(), error.get());
  const int code = work(terminal, [&] {
    terminal.Leave();
    out.Reset();
    error.Reset();
    const char ready = 1;
    [[maybe_unused]] const ssize_t written = ::write(pipe.get(), &ready, 1);
    pipe.Reset();
  });
  std::_Exit(code);
}

}  // namespace

absl::StatusOr<int> RunDetached(
    const std::function<int(Terminal&, const std::function<void()>& ready)>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoStatus(errno, "fork");
  if (pid == 0) RunChild(std::move(write_end), work);
  write_end.Reset();
  char ready = 0;
  ssize_t got = 0;
  while ((got = ::read(read_end.get(), &ready, 1)) < 0 && errno == EINTR) {
  }
  if (got == 1) return 0;
  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  const int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 1;
  return code == 0 ? 1 : code;  // it never became ready
}

}  // namespace trove::trovectl
