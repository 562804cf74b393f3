#include "libtrove/rpc/serve_until_signal.h"

#include <signal.h>

#include <cerrno>
#include <cstring>

#include "libtrove/base/log.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/server.h"

namespace trove::rpc {
namespace {

sigset_t TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void BlockTerminationSignals() {
  const sigset_t signals = TerminationSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

absl::StatusOr<int> WaitForTerminationSignal() {
  const sigset_t signals = TerminationSignals();
  while (true) {
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal > 0) return signal;
    if (errno != EINTR) return ErrnoStatus(errno, "wait for SIGTERM or SIGINT");
  }
}

absl::Status ServeUntilSignal(Server& server, absl::Duration grace) {
  TROVE_ASSIGN_OR_RETURN(const int signal, WaitForTerminationSignal());
  const Log log;
  log.Info("stopping: finishing what is running", {{"signal", sigabbrev_np(signal)}});
  server.Drain(grace);
  log.Info("stopped");
  return absl::OkStatus();
}

}  // namespace trove::rpc
