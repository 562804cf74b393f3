#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/executor.h"
#include "libtrove/bus/bus.h"
#include "libtrove/identity/job_signing.h"
#include "services/taskmanager/workflow.h"

namespace trove::taskmanager {

/// Hands jobs to guests and sees to it that each one's result arrives. A job's id is
/// operation/step/attempt, so that sending it again is the same job: the guest does it once, and
/// reports again when its report may have been lost. Thread-safe.
class Jobs {
 public:
  struct Options {
    absl::Duration ack_within = absl::Seconds(1);    ///< for the guest's answer that it has the job
    absl::Duration retry_unsent = absl::Seconds(1);  ///< when nobody listened or answered
    absl::Duration ask_again = absl::Seconds(5);     ///< while a job runs: its report may be lost
    absl::Duration begin_within = absl::Minutes(1);  ///< after that a guest must not begin it
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

 private:
  Outcome Send(StepContext& context,
               const GuestId& guest,
               absl::Duration time_limit,
               const MakeJob& make,
               const std::string& job_id);
  void Settle(const GuestId& guest, const std::string& job_id, std::int64_t generation);

  Bus& bus_;
  const identity::JobSigner signer_;
  const Options options_;
  Executor settler_;
};

}  // namespace trove::taskmanager
