#pragma once

#include <absl/time/time.h>

#include "libtrove/identity/sealing.h"
#include "services/taskmanager/jobs.h"
#include "services/taskmanager/provisioner.h"
#include "services/taskmanager/workflow.h"

namespace trove::taskmanager {

/// What the workflows of instances are made with. The seams must outlive the workflows.
struct WorkflowParts {
  Provisioner& provisioner;
  Jobs& jobs;
  identity::MasterKey master_key;
  MeshAccess mesh;
  absl::Duration create_deadline = absl::Minutes(10);  ///< of a create accepted without one
};

// The steps of each are those of libtrove/model/workflow_outline.h. What is undone after a failure
// leaves the instance as it was, with a fault that says why; when not all can be undone, the fault
// says what remains.

/// `instance.create`. When it fails, nothing is undone: the instance shows ERROR with the reason,
/// and what was made stays for a look at it until it is retried or deleted. A cancel removes
/// everything, and the instance with it.
Workflow CreateInstanceWorkflow(const WorkflowParts& parts);

/// `instance.restart`. When the server does not come back, it is told to start once more.
Workflow RestartInstanceWorkflow(const WorkflowParts& parts);

/// `instance.stop`. When it fails, the server is started again.
Workflow StopInstanceWorkflow(const WorkflowParts& parts);

/// `instance.start`. A failure leaves the server to come up if it can; a cancel stops it.
Workflow StartInstanceWorkflow(const WorkflowParts& parts);

/// `instance.resize`. When the server does not come up with the new flavor, it runs with the old
/// one again.
Workflow ResizeInstanceWorkflow(const WorkflowParts& parts);

/// `instance.grow`. A volume that has grown stays so: a failure after that is for a retry to mend.
Workflow GrowVolumeWorkflow(const WorkflowParts& parts);

/// `instance.attach` and `instance.detach`. What takes effect only with the next start of the
/// server leaves the instance waiting for a restart.
Workflow AttachConfigurationWorkflow(const WorkflowParts& parts);
Workflow DetachConfigurationWorkflow(const WorkflowParts& parts);

/// `instance.upgrade`. The data is kept aside until the new version answers, and put back with the
/// old version when it does not.
Workflow UpgradeInstanceWorkflow(const WorkflowParts& parts);

/// `instance.rebuild`. Once the old guest is gone, a failure is for a retry to mend.
Workflow RebuildInstanceWorkflow(const WorkflowParts& parts);

/// `instance.delete`. Works from every state and tries for a day before it gives up, naming what it
/// could not remove.
Workflow DeleteInstanceWorkflow(const WorkflowParts& parts);

/// All of them, in every version that an operation in a store may have been begun with.
Workflows InstanceWorkflows(const WorkflowParts& parts);

}  // namespace trove::taskmanager
