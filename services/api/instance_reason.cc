#include "services/api/instance_reason.h"

#include <string>

#include "libtrove/model/instance_state.h"
#include "libtrove/model/workflow_outline.h"
#include "services/api/times.h"

namespace trove::api {
namespace {

v1::Instance::Reason Because(const std::string& waiting_for,
                             absl::Time since,
                             const std::string& last_error,
                             const std::string& help) {
  v1::Instance::Reason reason;
  reason.set_waiting_for(waiting_for);
  if (since > absl::InfinitePast()) SetTime(since, reason.mutable_since());
  reason.set_last_error(last_error);
  reason.set_help(help);
  return reason;
}

// ---- While an operation runs ----

std::string WaitingFor(const Operation& operation, const StepRecord* step) {
  if (!operation.reason.empty()) return operation.reason;
  if (operation.state == OperationState::kCancelling)
    return "what " + operation.kind + " has done to be undone";
  if (operation.state == OperationState::kPending)
    return "a task manager to take up " + operation.kind;
  if (step == nullptr) return operation.kind + " to end";
  return "the step " + step->name + " to end, which " + StepTitle(operation.kind, step->name);
}

absl::Time SinceWhen(const Operation& operation, const StepRecord* step) {
  if (operation.waiting_since) return *operation.waiting_since;
  if (operation.state == OperationState::kPending) return operation.created_at;
  return step != nullptr && step->started_at ? *step->started_at : operation.updated_at;
}

std::string HelpWith(const Operation& operation) {
  if (!operation.help.empty()) return operation.help;
  std::string help = "wait: it ends by itself";
  if (operation.deadline != absl::InfiniteFuture()) {
    help += ", at " +
            absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", operation.deadline, absl::UTCTimeZone()) +
            " at the latest";
  }
  if (operation.cancel_requested || operation.state == OperationState::kCancelling) return help;
  if (operation.cancellable) return help + "; or cancel operation " + operation.id.value();
  return help;
}

v1::Instance::Reason OfOperation(const Operation& operation) {
  const StepRecord* step = operation.steps.empty() ? nullptr : &operation.steps.back();
  const bool failed_before = step != nullptr && !step->last_error.empty();
  v1::Instance::Reason reason = Because(WaitingFor(operation, step),
                                        SinceWhen(operation, step),
                                        failed_before ? step->last_error : operation.error,
                                        HelpWith(operation));
  reason.set_step(step == nullptr ? operation.kind : step->name);
  return reason;
}

// ---- When nothing runs ----

v1::Instance::Reason OfFailure(const InstanceView& view) {
  const Instance& instance = view.instance;
  const bool built = CheckAction(ActionGuard::kBuilt, instance, /*backup_running=*/false).ok();
  const absl::Time since = instance.fault ? instance.fault->created_at : instance.updated_at;
  return Because("somebody to act: its last operation failed",
                 since,
                 instance.fault ? instance.fault->message : view.guest_message,
                 built ? "retry the failed operation, restart or rebuild the instance; or delete it"
                       : "retry the operation that was to build it, or delete it");
}

v1::Instance::Reason OfRestartRequired(const InstanceView& view) {
  const Instance& instance = view.instance;
  std::string waiting_for;
  if (!instance.configuration_id) {
    waiting_for =
        "a restart: parameters of a configuration group that it used stay in effect until "
        "its server starts anew";
  } else {
    const std::string id = instance.configuration_id->value();
    waiting_for =
        "a restart: parameters of configuration group " +
        (view.configuration_name.empty() ? id : view.configuration_name + " (" + id + ")") +
        " take effect only when its server starts";
  }
  return Because(waiting_for,
                 instance.updated_at,
                 "",
                 "restart the instance: until then its server "
                 "runs with what it had");
}

v1::Instance::Reason OfSilence(const InstanceView& view) {
  return Because("a word from its guest agent",
                 *view.instance.silent_since,
                 view.guest_message,
                 "its database may still work; an operator should look at its host and its guest "
                 "agent");
}

v1::Instance::Reason OfService(const InstanceView& view) {
  const auto because = [&](const char* waiting_for, const char* help) {
    return Because(waiting_for, view.instance.service_updated_at, view.guest_message, help);
  };
  switch (view.instance.service) {
    case ServiceStatus::kShutdown:
    case ServiceStatus::kPaused:
      return because("to be started: its server was stopped", "start the instance");
    case ServiceStatus::kCrashed:
      return because("its server, which ended by itself, to run again",
                     "restart the instance; its server's log says why it ended");
    case ServiceStatus::kBlocked:
      return because("its server, which runs and does not answer, to answer",
                     "see whether its volume is full or its connections are used up; restart the "
                     "instance if this lasts");
    case ServiceStatus::kFailed:
      return because("its server, which never came up, to be repaired",
                     "restart the instance; when that fails, rebuild or delete it");
    case ServiceStatus::kUnknown:
    case ServiceStatus::kFailedTimeoutGuestAgent:
      return because("a word from its guest agent of how its server is",
                     "restart the instance if this lasts; an operator should look at its guest "
                     "agent");
    case ServiceStatus::kNew:
    case ServiceStatus::kBuilding:
    case ServiceStatus::kInstanceReady:
      return because("its guest agent to set up its server",
                     "an operator should look at its guest agent if this lasts");
    default:
      return because("its server to answer queries", "restart the instance if this lasts");
  }
}

v1::Instance::Reason OfTask(const InstanceView& view) {
  return Because("an operation, of which nothing is known any more, to end",
                 view.instance.updated_at,
                 view.instance.fault ? view.instance.fault->message : "",
                 "rebuild the instance (for admins), or delete it");
}

}  // namespace

std::optional<v1::Instance::Reason> ReasonFor(const InstanceView& view) {
  const Instance& instance = view.instance;
  if (view.operation) return OfOperation(*view.operation);
  if (IsErrorTask(instance.task)) return OfFailure(view);
  if (instance.task == TaskStatus::kRestartRequired) return OfRestartRequired(view);
  if (instance.task != TaskStatus::kNone) return OfTask(view);
  if (instance.service == ServiceStatus::kRestartRequired) return OfRestartRequired(view);
  if (instance.silent_since) return OfSilence(view);
  if (instance.service != ServiceStatus::kHealthy) return OfService(view);
  return std::nullopt;
}

}  // namespace trove::api
