#include "services/taskmanager/workflows/workflows.h"

namespace trove::taskmanager {

Workflows InstanceWorkflows(const WorkflowParts& parts) {
  return Workflows({AttachConfigurationWorkflow(parts),
                    CreateInstanceWorkflow(parts),
                    DeleteInstanceWorkflow(parts),
                    DetachConfigurationWorkflow(parts),
                    GrowVolumeWorkflow(parts),
                    RebuildInstanceWorkflow(parts),
                    ResizeInstanceWorkflow(parts),
                    RestartInstanceWorkflow(parts),
                    StartInstanceWorkflow(parts),
                    StopInstanceWorkflow(parts),
                    UpgradeInstanceWorkflow(parts)});
}

}  // namespace trove::taskmanager
