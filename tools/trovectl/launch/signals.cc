#include "tools/trovectl/launch/signals.h"

#include <signal.h>

#include <algorithm>

namespace trove::trovectl {
namespace {

sigset_t LauncherSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD})
    sigaddset(&signals, signal);
  return signals;
}

}  // namespace

void BlockLauncherSignals() {
  const sigset_t signals = LauncherSignals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

int WaitForSignal(absl::Duration limit) {
  const sigset_t signals = LauncherSignals();
  const timespec time = absl::ToTimespec(std::max(limit, absl::ZeroDuration()));
  return std::max(0, ::sigtimedwait(&signals, nullptr, &time));
}

}  // namespace trove::trovectl
