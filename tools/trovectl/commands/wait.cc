#include "tools/trovectl/commands/wait.h"

#include <cstdio>
#include <string>

#include <absl/time/clock.h>

#include "tools/trovectl/commands/exit_code.h"
#include "tools/trovectl/commands/interrupt.h"
#include "tools/trovectl/commands/operation_text.h"

namespace trove::trovectl {
namespace {

// Says each new thing once.
class Progress {
 public:
  void Show(const std::string& text) {
    if (text == shown_) return;
    shown_ = text;
    std::fprintf(
        stderr, "%7.2f s  %s\n", absl::ToDoubleSeconds(absl::Now() - began_), text.c_str());
  }

 private:
  const absl::Time began_ = absl::Now();
  std::string shown_;
};

}  // namespace

absl::Status WaitFor(client::Client& client,
                     const Session& session,
                     const std::string& operation_id) {
  Progress progress;
  v1::Operation last;
  last.set_id(operation_id);
  const Interrupt interrupt;
  const absl::StatusOr<v1::Operation> ended = client.WatchOperation(
      session.MakeWaitingCall(interrupt.token()),
      operation_id,
      [&](const v1::Operation& operation) {
        last = operation;
        progress.Show(ProgressText(operation));
      },
      [&](const absl::Status&) { progress.Show("the connection is lost, and made again"); });
  if (interrupt.happened()) {
    std::fprintf(stderr, "\n%s\n", HowToGoOn(last).c_str());
    return WithExitCode(absl::CancelledError("not waited for any longer"), kInterrupted);
  }
  if (absl::IsDeadlineExceeded(ended.status())) {
    std::fprintf(stderr, "%s\n", HowToGoOn(last).c_str());
    return WithExitCode(absl::DeadlineExceededError("it has not ended within " +
                                                    std::to_string(session.timeout_s) + " s"),
                        kStillRunning);
  }
  if (!ended.ok()) return ended.status();
  const absl::Status outcome = client::OutcomeOf(*ended);
  if (outcome.ok()) return outcome;
  return WithExitCode(outcome, absl::IsCancelled(outcome) ? kOperationCancelled : kOperationFailed);
}

}  // namespace trove::trovectl
