#include "tools/trovectl/launch/detach.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "libtrove/base/status.h"
#include "libtrove/base/unique_fd.h"

namespace trove::trovectl {
namespace {

// Comes through the pipe when everything is ready; no line holds it.
constexpr char kReady = '\0';

[[noreturn]] void RunChild(
    UniqueFd pipe, const std::function<int(Terminal&, const std::function<void()>& ready)>& work) {
  ::setsid();
  // The caller's own terminal or pipe must not wait for this process.
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {0, 1, 2})
    ::dup2(nothing.get(), fd);
  Terminal terminal(pipe.get());
  const int code = work(terminal, [&terminal, &pipe] {
    terminal.Leave();
    [[maybe_unused]] const ssize_t written = ::write(pipe.get(), &kReady, 1);
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
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(read_end.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    std::string_view text(buffer, static_cast<std::size_t>(got));
    const bool ready = text.back() == kReady;
    if (ready) text.remove_suffix(1);
    [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (ready) return 0;
  }
  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  const int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 1;
  return code == 0 ? 1 : code;  // it never became ready
}

}  // namespace trove::trovectl
