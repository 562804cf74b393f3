#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "libtrove/base/call.h"
#include "libtrove/base/secret.h"

namespace trove::mariadb {

/// Whether a server's data can go from one version to another: not to an older one, and not past a
/// whole major one. Errors: kInvalidArgument.
absl::Status CheckVersions(std::string_view from, std::string_view to);

/// Which version the data are of, as they say themselves: `10.11.6-MariaDB`. Empty: they do not.
std::string DataVersion(const std::filesystem::path& data_dir);

/// How to reach a server whose tables are to be upgraded.
struct TablesUpgrade {
  std::string engine;  ///< folder of the programs; empty: the system's
  std::string socket;
  std::string user;
  Secret password;
  std::filesystem::path folder;  ///< for files of ours, which are gone afterwards
};

/// Runs mariadb-upgrade, which does nothing when it has run for this version before. May be
/// repeated. Errors: kInternal: it failed, in its words.
absl::Status UpgradeTables(const Call& call, const TablesUpgrade& upgrade);

}  // namespace trove::mariadb
