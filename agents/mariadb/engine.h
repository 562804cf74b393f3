#pragma once

#include <filesystem>
#include <string>

#include <absl/status/statusor.h>

namespace trove::mariadb {

/// A program of MariaDB: in `bin`, `sbin` or `scripts` of the engine's folder, or where the system
/// has it when `engine` is empty. Errors: kInvalidArgument: the engine does not have it; kNotFound:
/// the system does not.
absl::StatusOr<std::filesystem::path> FindEngineProgram(const std::string& engine,
                                                        const std::string& name);

}  // namespace trove::mariadb
