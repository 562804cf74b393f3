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

/// `instance.create`: place, volume, guest, connect, prepare, finish. When it fails, nothing is
/// undone: the instance shows ERROR with the reason, and what was made stays for a look at it until
/// the instance is deleted.
Workflow CreateInstanceWorkflow(const WorkflowParts& parts);

/// `instance.restart`: restart, finish. When it fails, the instance is ACTIVE again as far as Trove
/// is concerned, with a fault that says why, and the server's status is as the guest says.
Workflow RestartInstanceWorkflow(const WorkflowParts& parts);

/// `instance.delete`: stop, guest, volume, release, bury. Works from every state and tries for a
/// day before it gives up, naming what it could not remove.
Workflow DeleteInstanceWorkflow(const WorkflowParts& parts);

/// All of them, in every version that an operation in a store may have been begun with.
Workflows InstanceWorkflows(const WorkflowParts& parts);

}  // namespace trove::taskmanager
