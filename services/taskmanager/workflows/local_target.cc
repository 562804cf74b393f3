#include "services/taskmanager/workflows/local_target.h"

#include "libtrove/base/status_macros.h"

namespace trove::taskmanager {

absl::StatusOr<OperationTarget> LocalTarget(const WorkflowParts& parts, StepContext& context) {
  TROVE_ASSIGN_OR_RETURN(OperationTarget target, context.Target());
  const std::string& placement = target.guest.placement;
  const std::string here = parts.provisioner.placement_prefix();
  if (!placement.empty() && !placement.starts_with(here))
    return absl::UnavailableError("the guest is on " + placement +
                                  ", and this task manager is on " + here);
  return target;
}

}  // namespace trove::taskmanager
