#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "tools/trovectl/launch/layout.h"

namespace trove::trovectl {

/// Where the files of this installation are.
struct Programs {
  std::filesystem::path folder;     ///< of the services, the keeper and the agents
  std::filesystem::path manifests;  ///< <datastore>/manifest.yaml
  std::filesystem::path nats_server;
};

/// Looks beside this program; for the manifests in ../share/trove, or in `agents` of the source
/// tree above it. Errors: kFailedPrecondition: says what is missing and how to get it.
absl::StatusOr<Programs> FindPrograms();

/// The folder from which guests take their programs: `programs.folder`, or where other users cannot
/// enter that and this is root, a copy in the data directory.
absl::StatusOr<std::filesystem::path> PrepareGuestPrograms(const Layout& layout,
                                                           const Programs& programs);

/// What the mesh's processes get as environment: PATH, HOME, LANG, TZ and TMPDIR of the caller's
/// and nothing else.
std::vector<std::string> ChildEnvironment();

}  // namespace trove::trovectl
