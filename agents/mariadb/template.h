#pragma once

#include <filesystem>
#include <string>

#include <absl/status/status.h>

#include "libtrove/base/call.h"

namespace trove::mariadb {

/// Whether `data_dir` holds a whole data directory.
bool IsInitialized(const std::filesystem::path& data_dir);

/// Makes a fresh data directory without any password: root comes in over the private socket until
/// the accounts are secured. Whole or not at all: made beside, then renamed.
/// `engine` is the folder of the programs; empty: the system's. Errors: as FindEngineProgram of
/// mariadb-install-db; kInternal: it failed, in its words.
absl::Status InitializeData(const Call& call,
                            const std::filesystem::path& data_dir,
                            const std::string& engine);

/// Makes `folder` a template: what a new volume of this version begins as.
absl::Status BuildTemplate(const Call& call,
                           const std::filesystem::path& folder,
                           const std::string& engine);

}  // namespace trove::mariadb
