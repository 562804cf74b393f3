#pragma once

#include <filesystem>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "tools/trovectl/launch/layout.h"
#include "tools/trovectl/launch/settings.h"

namespace trove::trovectl {

/// The project that the launcher's own token is an admin of.
inline constexpr char kAdminProject[] = "admin";

/// Token and project as client.env has them from an earlier start, else new ones; the rest is
/// empty.
absl::StatusOr<ClientEnvironment> KeptClient(const Layout& layout);

/// Makes the store or brings it to this release's schema, fills the catalogue from the manifests,
/// and has it know the client's token.
absl::Status SetUpStore(const Layout& layout,
                        const std::filesystem::path& manifests,
                        const ClientEnvironment& client);

}  // namespace trove::trovectl
