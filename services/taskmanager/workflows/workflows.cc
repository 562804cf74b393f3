#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {

Workflows InstanceWorkflows(const WorkflowParts& parts) {
  return Workflows({CreateInstanceWorkflow(parts),
                    RestartInstanceWorkflow(parts),
                    DeleteInstanceWorkflow(parts)});
}

}  // namespace trove::taskmanager
