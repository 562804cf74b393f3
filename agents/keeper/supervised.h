#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agents/keeper/backoff.h"
#include "agents/keeper/clock.h"
#include "agents/keeper/error.h"
#include "agents/keeper/launch.h"
#include "libtrove/agent/keeper_protocol.h"
#include "libtrove/base/unique_fd.h"

namespace trove::keeper {

/// One of the two programs, agent or server: starts it, takes it over from an earlier keeper,
/// signals it, and knows when it is to be started again or killed. It holds no timer and waits for
/// nothing: its owner asks NextDue, and calls OnTime, Ended and OnPidfd.
class Supervised {
 public:
  Supervised(std::string name, LaunchOptions options, RestartBackoff backoff);

  const std::string& name() const { return name_; }
  const ProcessStatus& status() const { return status_; }
  /// The same with what depends on the moment.
  ProcessStatus StatusAt(BootTime now) const;
  bool running() const { return status_.running; }

  const Command& command() const { return command_; }
  /// What the next start executes; its back-off starts afresh.
  void SetCommand(Command command);
  /// Whether it is started again when it ends by itself.
  void SetRestart(bool restart);

  /// Takes over what an earlier keeper left in `recorded`. Still the same process: it is watched by
  /// pidfd from now on. Else it counts as ended in a way nobody saw, and is due for its restart
  /// when it has one. `same_boot` false: nothing that runs now can be it, and nothing is restarted.
  void Adopt(const ProcessStatus& recorded, bool same_boot);
  /// Readable when an adopted process has ended; -1: not adopted.
  int pidfd() const { return pidfd_.get(); }

  /// Starts the command; `persist` writes the status down before it is executed, and an error from
  /// it means no start. An error leaves it stopped, or waiting for a restart that is due.
  Error Start(const std::function<Error()>& persist);

  /// Sends `signal`, and SIGKILL after `grace` (a sooner one stays). Nothing when it does not run.
  void Stop(int signal, std::chrono::milliseconds grace);
  /// SIGKILL for it and its process group.
  void Kill(ExitStatus::Cause cause);
  /// No restart that is waiting takes place.
  void CancelStart() { start_at_.reset(); }
  /// It has ended. Kills what is left of its group; a caller whose child it is reaps after this.
  void Ended(ExitStatus::Kind kind, int value);

  /// When OnTime has something to do.
  std::optional<BootTime> NextDue() const;
  /// Kills when a grace period has passed. True: its restart is due, and the owner should Start it.
  bool OnTime(BootTime now);

 private:
  void Signal(int signal) const;
  void KillGroup() const;
  void Clear();

  std::string name_;
  LaunchOptions options_;
  RestartBackoff backoff_;
  Command command_;
  ProcessStatus status_;
  UniqueFd pidfd_;
  ExitStatus::Cause cause_ = ExitStatus::Cause::kItself;  // of the end that is coming
  std::optional<BootTime> start_at_;
  std::optional<BootTime> kill_at_;
};

}  // namespace trove::keeper
