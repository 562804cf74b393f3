#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "tools/trovectl/launch/mesh.h"

namespace trove::trovectl {

/// Keeps how a mesh was started, so that `down --instances` can start it alike. The ports are kept
/// elsewhere.
absl::Status KeepOptions(const Layout& layout, const MeshOptions& options);

/// What was kept, for this layout; the defaults when nothing was.
absl::StatusOr<MeshOptions> LastOptions(const Layout& layout);

}  // namespace trove::trovectl
