#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/mutex.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/job_signing.h"
#include "services/taskmanager/workflow.h"

namespace trove::taskmanager {

/// Hands jobs to guests and sees to it that each one's result arrives. A job's id is
/// operation/step/attempt (`step-undo` while the step is undone), so that sending it again is the
/// same job: the guest does it once, and reports again when its report may have been lost. Never
/// waits for a guest: its answers are looked for when the step runs again. Thread-safe.
class Jobs {
 public:
  struct Options {
    absl::Duration ack_within = absl::Seconds(1);    ///< for the guest's answer that it has the job
    absl::Duration retry_unsent = absl::Seconds(1);  ///< when nobody listened or answered
    absl::Duration ask_again = absl::Seconds(5);     ///< while a job runs: its report may be lost
    absl::Duration begin_within = absl::Minutes(1);  ///< after that a guest must not begin it
    absl::Duration stop_within = absl::Seconds(10);  ///< for the end of a job that is cancelled
  };

  /// `bus` must outlive this object.
  Jobs(Bus& bus, identity::JobSigner signer, Options options);
  Jobs(Bus& bus, identity::JobSigner signer) : Jobs(bus, std::move(signer), Options()) {}

  /// Makes the job of a step: its kind and nothing else; called again whenever it is sent.
  using MakeJob = std::function<absl::StatusOr<mesh::v1::Job>()>;

  /// Brings the job of this step one step further: gives its successful report when there is one
  /// (and tells the guest, once the outcome is durable, that it may forget it), or the outcome to
  /// return. A job that failed for good fails the step; one that was interrupted or may be repeated
  /// is an attempt. `time_limit` is the longest that it may run on the guest.
  std::variant<mesh::v1::JobReport, Outcome> Drive(StepContext& context,
                                                   const GuestId& guest,
                                                   absl::Duration time_limit,
                                                   const MakeJob& make);

  /// Whether a wait that Drive returned is for a guest that does not answer, and not for its work.
  static bool IsUnheard(const WaitFor& wait);

  /// Stops the job that the step which is now being undone has sent, so that its undo does not race
  /// with it. Absent: it does not run, or nothing was heard of it for as long as anybody waits, and
  /// the undo may begin; else the outcome to return until then.
  std::optional<Outcome> Stop(StepContext& context, const GuestId& guest);

 private:
  struct Sent {
    absl::Time at;
    absl::Status failed;               // it could not be sent
    std::shared_ptr<Inquiry> inquiry;  // null when it failed
  };
  // What came of a message so far. Absent answer: nothing yet.
  struct Heard {
    absl::Time at;
    std::optional<absl::StatusOr<std::string>> answer;
  };

  absl::Status Send(StepContext& context,
                    const GuestId& guest,
                    absl::Duration time_limit,
                    const MakeJob& make,
                    const std::string& job_id);
  // Remembers a message by `key`, in place of an earlier one.
  void Ask(StepContext& context,
           const std::string& key,
           const Subject& subject,
           const std::string& payload) TROVE_EXCLUDES(mutex_);
  std::optional<Heard> Find(const std::string& key) const TROVE_EXCLUDES(mutex_);
  void Forget(const std::string& key) TROVE_EXCLUDES(mutex_);
  // The job has ended: the guest hears that it may forget it, once that is durable here.
  void EndJob(StepContext& context, const GuestId& guest, const std::string& job_id);

  Bus& bus_;
  const identity::JobSigner signer_;
  const Options options_;
  mutable Mutex mutex_;
  std::map<std::string, Sent> sent_ TROVE_GUARDED_BY(mutex_);
  std::deque<std::pair<absl::Time, std::string>> order_ TROVE_GUARDED_BY(mutex_);
};

}  // namespace trove::taskmanager
