#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/mesh/v1/bus.pb.h"
#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/store/records.h"
#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {

// What the steps of several workflows have in common.

using StepFunction = Outcome (*)(const WorkflowParts&, StepContext&);

/// `function` as a step's run or undo.
std::function<Outcome(StepContext&)> With(const WorkflowParts& parts, StepFunction function);

/// A last step, which only says what has become true.
Step SayStep(std::string name, std::function<Outcome(StepContext&)> run);

/// What the operation was asked to do. Errors: kInvalidArgument: unreadable.
absl::StatusOr<mesh::v1::OperationInput> InputOf(const Operation& operation);

/// Makes sure of the guest as `target` describes it, with an enrolment token of this operation as
/// long as it has not enrolled. Twice is safe: it is the same token, and a guest that runs is
/// adopted.
absl::Status EnsureGuest(const WorkflowParts& parts,
                         StepContext& context,
                         const OperationTarget& target);

/// A step that waits until the guest agent is heard, and makes sure of the guest again in case its
/// host lost it. Twice is safe: it only looks.
Outcome AwaitGuest(const WorkflowParts& parts, StepContext& context);

/// Jobs::Drive; makes sure of the guest, as `target` describes it, while it waits. `help` goes with
/// a failure that says none itself.
std::variant<mesh::v1::JobReport, Outcome> RunJob(const WorkflowParts& parts,
                                                  StepContext& context,
                                                  const OperationTarget& target,
                                                  absl::Duration time_limit,
                                                  const Jobs::MakeJob& make,
                                                  const std::string& help = "");

/// Takes back what a step did by a job: stops that one, then brings this one to its end.
std::variant<mesh::v1::JobReport, Outcome> UndoByJob(const WorkflowParts& parts,
                                                     StepContext& context,
                                                     const OperationTarget& target,
                                                     absl::Duration time_limit,
                                                     const Jobs::MakeJob& make);

/// Jobs without content, and with settings alone.
absl::StatusOr<mesh::v1::Job> RestartOf();
absl::StatusOr<mesh::v1::Job> StopOf();
absl::StatusOr<mesh::v1::Job> StartOf();
absl::StatusOr<mesh::v1::Job> UpgradeOf(const mesh::v1::ServerSettings& settings);
absl::StatusOr<mesh::v1::Job> AdoptOf(const mesh::v1::ServerSettings& settings);
absl::StatusOr<mesh::v1::Job> ConfigureOf(const mesh::v1::ServerSettings& settings,
                                          bool may_restart);

/// What a job that leaves the server as it is meant to be says of it: it runs, or it is stopped.
std::vector<Effect> ServerAsReported(const mesh::v1::JobReport& report);

/// For Workflow::on_failed and on_cancelled of what leaves the instance as it was: its task ends,
/// and the fault says why. When something could not be undone, the task is `stuck`.
std::function<std::vector<Effect>(const Failure&)> EndTask(TaskStatus stuck = TaskStatus::kNone);
std::vector<Effect> EndTaskCancelled();

}  // namespace trove::taskmanager
