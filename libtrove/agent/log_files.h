#pragma once

#include <cstdint>
#include <filesystem>

#include <absl/status/status.h>

namespace trove::agent {

/// Bounds the logs in a guest's directory (`*.log`, to which the keeper, the agent and the server
/// append): one of more than `most_bytes` is kept as `.1`, what was that as `.2`, and begins anew.
/// Whoever writes need not know; lines written in the moment between are lost.
absl::Status BoundLogs(const std::filesystem::path& folder,
                       std::uintmax_t most_bytes = std::uintmax_t{10} << 20);

}  // namespace trove::agent
