#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "tools/trovectl/launch/layout.h"

namespace trove::trovectl {

/// One process of the control plane.
struct ProcessStatus {
  std::string name;
  int pid = 0;  ///< 0: it does not run
  bool serves = false;
  std::string about;  ///< where it serves, or why it does not
};

/// Asks every process of the mesh. Errors: kNotFound: there is no mesh in this data directory.
absl::StatusOr<std::vector<ProcessStatus>> AskMesh(const Layout& layout);

}  // namespace trove::trovectl
