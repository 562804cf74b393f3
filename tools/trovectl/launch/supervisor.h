#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "libtrove/base/backoff.h"
#include "libtrove/base/call.h"
#include "libtrove/base/subprocess.h"
#include "tools/trovectl/launch/log_rotation.h"
#include "tools/trovectl/launch/terminal.h"

namespace trove::trovectl {

/// A process of the mesh, and how to know that it does its work.
struct ChildSpec {
  std::string name;
  ProgramSpec program;  ///< `output` is its log
  std::filesystem::path pid_file;
  std::function<absl::Status(const Call&)> probe;  ///< OK: it serves
};

/// Starts processes, starts again those that die, kills and starts again those that live and do not
/// answer, keeps their logs short, and ends them all. Wants BlockLauncherSignals first. Used by one
/// thread.
class Supervisor {
 public:
  struct Options {
    absl::Duration start_limit = absl::Seconds(60);  ///< for one process to be ready
    absl::Duration stop_limit = absl::Seconds(20);   ///< for one process to end on SIGTERM
    BackoffPolicy restart = {absl::Milliseconds(100), absl::Seconds(10)};
    absl::Duration settled = absl::Seconds(10);     ///< who ran so long begins the back-off anew
    absl::Duration probe_every = absl::Seconds(5);  ///< of one that serves
    absl::Duration probe_limit = absl::Seconds(1);  ///< for one answer
    absl::Duration probe_again = absl::Seconds(1);  ///< after one that failed
    absl::Duration hang_limit = absl::Seconds(15);  ///< without an answer; zero: for ever
    absl::Duration look_at_logs_every = absl::Seconds(10);
    LogLimits logs;
  };

  /// `terminal` must outlive this object.
  Supervisor(Terminal& terminal, Options options) : terminal_(terminal), options_(options) {}
  /// As StopAll.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Starts a process and returns when it is ready. Errors: kUnavailable: it died, with what it
  /// wrote last; kDeadlineExceeded: it was not ready in time; kCancelled: a signal said to stop;
  /// else as Spawn.
  absl::Status Start(ChildSpec spec);

  /// Looks after the processes for as long as `limit`. False: a signal said to stop.
  bool Tend(absl::Duration limit);

  /// Keeps another log short that a process of ours writes, as the launcher's own.
  void TendLog(const std::filesystem::path& file) { logs_.push_back(file); }

  /// Ends all, the last one first: SIGTERM, and SIGKILL for who takes too long or when another
  /// signal comes.
  void StopAll();

 private:
  struct Child {
    ChildSpec spec;
    pid_t pid = 0;
    bool ready = false;
    int attempts = 0;  // of starting it again
    absl::Time started_at;
    absl::Time start_again_at = absl::InfiniteFuture();
    absl::Time probe_at = absl::InfiniteFuture();      // of one that serves
    absl::Time answered_at = absl::InfinitePast();     // last
    absl::Time silent_since = absl::InfiniteFuture();  // when the first of the last probes failed
    std::uintmax_t log_from = 0;                       // where the log of this run begins
  };

  absl::Status Launch(Child& child);
  bool Reap(Child& child, std::string* how);
  void Revive(Child& child);
  void Check(Child& child);
  void KillHung(Child& child, absl::Duration silence);
  void StartAgainLater(Child& child, const std::string& why);
  void LookAtLogs();
  absl::Time NextChore() const;
  void Stop(Child& child);
  void HearSignals(absl::Duration limit);

  Terminal& terminal_;
  const Options options_;
  std::vector<Child> children_;
  std::vector<std::filesystem::path> logs_;
  int signals_ = 0;  // that said to stop
  absl::Time look_at_logs_at_ = absl::InfinitePast();
};

}  // namespace trove::trovectl
