#include "tools/trovectl/commands/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "libtrove/base/check.h"

namespace trove::trovectl {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

// All that a signal handler may touch.
std::atomic<int> wake_fd{-1};

void OnSignal(int /*signal*/) {
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd.load(), &byte, 1);
}

}  // namespace

Interrupt::Interrupt() {
  int ends[2];
  TROVE_CHECK(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  read_end_ = UniqueFd(ends[0]);
  write_end_ = UniqueFd(ends[1]);
  wake_fd = write_end_.get();
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);  // the next one ends the program
  for (const int signal : kSignals)
    ::sigaction(signal, &action, nullptr);
  listener_ = std::jthread([this](const std::stop_token& over) {
    pollfd wait{.fd = read_end_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, -1) > 0 && !over.stop_requested()) stop_.request_stop();
  });
}

Interrupt::~Interrupt() {
  for (const int signal : kSignals)
    ::signal(signal, SIG_DFL);
  listener_.request_stop();
  OnSignal(0);  // wakes the listener
  listener_.join();
  wake_fd = -1;
}

}  // namespace trove::trovectl
