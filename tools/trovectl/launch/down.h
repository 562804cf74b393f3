#pragma once

#include <absl/status/status.h>

#include "tools/trovectl/launch/mesh.h"
#include "tools/trovectl/launch/terminal.h"

namespace trove::trovectl {

/// Stops the control plane of the mesh in `layout` and returns when it is gone; databases run on.
/// A mesh that does not run is stopped already, and what a killed launcher left is ended. Errors:
/// kDeadlineExceeded: it does not end; kPermissionDenied: another user's.
absl::Status StopMesh(const Layout& layout, Terminal& terminal);

/// Deletes all instances with their data, then stops the mesh; one that does not run is started for
/// it, as it was last time. Wants BlockLauncherSignals first. Errors: as PurgeInstances, RunMesh
/// and StopMesh.
absl::Status RemoveInstancesAndStop(const Layout& layout, Terminal& terminal);

}  // namespace trove::trovectl
