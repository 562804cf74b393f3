#include "libtrove/model/instance_state.h"

#include <string>

#include "libtrove/model/errors.h"

namespace trove {

bool IsErrorTask(TaskStatus task) {
  switch (task) {
    case TaskStatus::kBuildingErrorServer:
    case TaskStatus::kBuildingErrorVolume:
    case TaskStatus::kBuildingErrorReplica:
    case TaskStatus::kPromotionError:
    case TaskStatus::kEjectionError:
    case TaskStatus::kGrowingError:
    case TaskStatus::kShrinkingError:
    case TaskStatus::kUpgradingError:
    case TaskStatus::kBuildingErrorTimeoutGuest:
    case TaskStatus::kBuildingErrorPort:
    case TaskStatus::kUpdatingErrorAccess:
      return true;
    default:
      return false;
  }
}

ShownStatus ShownStatusOf(const Instance& instance, bool backup_running) {
  if (IsErrorTask(instance.task)) return ShownStatus::kError;
  switch (instance.task) {
    case TaskStatus::kBuilding:
      return ShownStatus::kBuild;
    case TaskStatus::kRebooting:
      return ShownStatus::kReboot;
    case TaskStatus::kResizing:
      return ShownStatus::kResize;
    case TaskStatus::kUpgrading:
      return ShownStatus::kUpgrade;
    case TaskStatus::kRestartRequired:
      return ShownStatus::kRestartRequired;
    case TaskStatus::kPromoting:
      return ShownStatus::kPromote;
    case TaskStatus::kEjecting:
      return ShownStatus::kEject;
    case TaskStatus::kDetaching:
      return ShownStatus::kDetach;
    case TaskStatus::kDeleting:
      return ShownStatus::kShutdown;
    default:
      // Nothing is being done, or something that Trove does not show (migrating, updating).
      return backup_running ? ShownStatus::kBackup : ShownStatus::kActive;
  }
}

OperatingStatus OperatingStatusOf(const Instance& instance) {
  if (instance.task != TaskStatus::kNone) return OperatingStatus::kNone;
  if (instance.silent_since && instance.service != ServiceStatus::kRestartRequired)
    return OperatingStatus::kError;
  switch (instance.service) {
    case ServiceStatus::kRunning:
      return OperatingStatus::kActive;
    case ServiceStatus::kBlocked:
      return OperatingStatus::kBlocked;
    case ServiceStatus::kPaused:
    case ServiceStatus::kShutdown:
    case ServiceStatus::kCrashed:
      return OperatingStatus::kShutdown;
    case ServiceStatus::kDeleted:
      return OperatingStatus::kDeleted;
    case ServiceStatus::kFailed:
      return OperatingStatus::kFailed;
    case ServiceStatus::kBuilding:
    case ServiceStatus::kInstanceReady:
      return OperatingStatus::kBuild;
    case ServiceStatus::kPromoting:
      return OperatingStatus::kPromote;
    case ServiceStatus::kEjecting:
      return OperatingStatus::kEject;
    case ServiceStatus::kUnknown:
    case ServiceStatus::kFailedTimeoutGuestAgent:
      return OperatingStatus::kError;
    case ServiceStatus::kNew:
      return OperatingStatus::kNew;
    case ServiceStatus::kRestartRequired:
      return OperatingStatus::kRestartRequired;
    case ServiceStatus::kHealthy:
      return OperatingStatus::kHealthy;
    case ServiceStatus::kRestarting:
      return OperatingStatus::kRestarting;
  }
  return OperatingStatus::kError;
}

std::string_view ShownStatusName(ShownStatus status) {
  switch (status) {
    case ShownStatus::kBuild:
      return "BUILD";
    case ShownStatus::kActive:
      return "ACTIVE";
    case ShownStatus::kReboot:
      return "REBOOT";
    case ShownStatus::kResize:
      return "RESIZE";
    case ShownStatus::kUpgrade:
      return "UPGRADE";
    case ShownStatus::kRestartRequired:
      return "RESTART_REQUIRED";
    case ShownStatus::kPromote:
      return "PROMOTE";
    case ShownStatus::kEject:
      return "EJECT";
    case ShownStatus::kDetach:
      return "DETACH";
    case ShownStatus::kBackup:
      return "BACKUP";
    case ShownStatus::kShutdown:
      return "SHUTDOWN";
    case ShownStatus::kError:
      return "ERROR";
  }
  return "UNKNOWN";
}

std::string_view OperatingStatusName(OperatingStatus status) {
  switch (status) {
    case OperatingStatus::kNone:
      return "";
    case OperatingStatus::kHealthy:
      return "HEALTHY";
    case OperatingStatus::kActive:
      return "ACTIVE";
    case OperatingStatus::kBlocked:
      return "BLOCKED";
    case OperatingStatus::kShutdown:
      return "SHUTDOWN";
    case OperatingStatus::kFailed:
      return "FAILED";
    case OperatingStatus::kBuild:
      return "BUILD";
    case OperatingStatus::kNew:
      return "NEW";
    case OperatingStatus::kRestarting:
      return "RESTARTING";
    case OperatingStatus::kRestartRequired:
      return "RESTART_REQUIRED";
    case OperatingStatus::kError:
      return "ERROR";
    case OperatingStatus::kDeleted:
      return "DELETED";
    case OperatingStatus::kPromote:
      return "PROMOTE";
    case OperatingStatus::kEject:
      return "EJECT";
  }
  return "";
}

absl::Status CheckActionable(const Instance& instance, bool backup_running) {
  const std::string name = "instance " + instance.id.value();
  const std::string shown(ShownStatusName(ShownStatusOf(instance, backup_running)));
  if (instance.task != TaskStatus::kNone && instance.task != TaskStatus::kRestartRequired) {
    return MakeError(Reason::kWrongState,
                     name + " is " + shown + ": wait until it is ACTIVE, or delete it",
                     {.retry_after = absl::Seconds(5)});
  }
  switch (instance.service) {
    case ServiceStatus::kRunning:
    case ServiceStatus::kBlocked:
    case ServiceStatus::kShutdown:
    case ServiceStatus::kCrashed:
    case ServiceStatus::kRestartRequired:
    case ServiceStatus::kHealthy:
      break;
    default:
      return MakeError(Reason::kWrongState,
                       name + " cannot be acted on while its server is " +
                           std::string(OperatingStatusName(OperatingStatusOf(instance))) +
                           ": wait until it is HEALTHY",
                       {.retry_after = absl::Seconds(5)});
  }
  if (backup_running) {
    return MakeError(Reason::kWrongState,
                     name + " is being backed up: wait until the backup has ended",
                     {.retry_after = absl::Seconds(30)});
  }
  return absl::OkStatus();
}

absl::Status CheckAction(ActionGuard guard, const Instance& instance, bool backup_running) {
  switch (guard) {
    case ActionGuard::kActionable:
      return CheckActionable(instance, backup_running);
    case ActionGuard::kConfigurable:
      if (instance.task == TaskStatus::kNone && !backup_running) return absl::OkStatus();
      return MakeError(
          Reason::kNotConfigurable,
          "instance " + instance.id.value() + " is " +
              std::string(ShownStatusName(ShownStatusOf(instance, backup_running))) +
              ": a configuration is attached or detached when it is ACTIVE and nothing "
              "else is being done to it");
    case ActionGuard::kBuilt:
      break;
  }
  switch (instance.task) {
    case TaskStatus::kBuilding:
    case TaskStatus::kBuildingErrorVolume:
    case TaskStatus::kBuildingErrorReplica:
    case TaskStatus::kBuildingErrorTimeoutGuest:
    case TaskStatus::kBuildingErrorPort:
      return MakeError(Reason::kWrongState,
                       "instance " + instance.id.value() +
                           " was never built: retry the operation that builds it, or delete it");
    case TaskStatus::kDeleting:
      return MakeError(Reason::kWrongState,
                       "instance " + instance.id.value() + " is being deleted");
    default:
      return absl::OkStatus();
  }
}

}  // namespace trove
