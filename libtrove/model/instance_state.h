#pragma once

#include <optional>
#include <string_view>

#include <absl/status/status.h>

#include "libtrove/model/instance.h"

namespace trove {

/// What a tenant sees of an instance. Names are Trove's, by ShownStatusName.
enum class ShownStatus {
  kBuild,
  kActive,
  kReboot,
  kResize,
  kUpgrade,
  kRestartRequired,
  kPromote,
  kEject,
  kDetach,
  kBackup,
  kShutdown,
  kError,
};

/// What a tenant sees of the database server. kNone is shown as an empty text.
enum class OperatingStatus {
  kNone,
  kHealthy,
  kActive,
  kBlocked,
  kShutdown,
  kFailed,
  kBuild,
  kNew,
  kRestarting,
  kRestartRequired,
  kError,
  kDeleted,
  kPromote,
  kEject,
};

/// What is shown is derived from what is stored, by one table of precedence (Trove's own: the task
/// first, then a running backup, then the server).
ShownStatus ShownStatusOf(const Instance& instance, bool backup_running);

/// kNone unless nothing is being done; then how the guest says the server is. A silent guest is
/// kError.
OperatingStatus OperatingStatusOf(const Instance& instance);

std::string_view ShownStatusName(ShownStatus status);
std::string_view OperatingStatusName(OperatingStatus status);

/// Whether the task is one of the failed ones.
bool IsErrorTask(TaskStatus task);

/// OK when an ordinary action (restart, resize …) may begin; kWrongState says which rule forbids it
/// and what to do. Rules in Trove's order: shown ACTIVE, or waiting for a restart; a service status
/// that permits actions; no running backup.
absl::Status CheckActionable(const Instance& instance, bool backup_running);

/// Which rule must let an operation begin on an instance that no other operation holds.
enum class ActionGuard {
  kActionable,    ///< CheckActionable: restart, resize
  kConfigurable,  ///< shown ACTIVE with no task at all, else kNotConfigurable: attach, detach
  kBuilt,         ///< was built once (its task is none of BUILDING and the failed builds), else
                  ///< kWrongState: stop, start, upgrade, rebuild
};

/// OK when an operation with this guard may begin.
absl::Status CheckAction(ActionGuard guard, const Instance& instance, bool backup_running);

}  // namespace trove
