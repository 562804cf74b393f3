#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/call.h"

namespace trove::taskmanager {

/// What a guest may use of its host.
struct ResourceLimits {
  std::int64_t memory_mib = 0;
  int vcpus = 0;
};

/// Control groups of guests, where this process may make them: version 2, or the cpu and memory
/// controllers of version 1. Where it may not, guests run without limits, and no call fails for
/// that. Thread-safe.
class Cgroups {
 public:
  /// Finds out what is there. `mesh_id` names our group below the root.
  static Cgroups Detect(const std::string& mesh_id);

  /// Whether limits are kept here.
  bool available() const { return !roots_.empty(); }

  /// Makes the guest's groups with these limits and returns their folders; none when not available.
  /// Memory: the flavor's and a quarter more, at least 256 MiB more, for the agent and what the
  /// server needs beside its buffers.
  absl::StatusOr<std::vector<std::string>> Ensure(const std::string& guest,
                                                  const ResourceLimits& limits) const;

  /// Removes the guest's groups. Waits for processes that are ending.
  absl::Status Remove(const Call& call, const std::string& guest) const;

 private:
  struct Root {
    std::filesystem::path folder;
    bool version2 = false;
    std::string controller;  ///< of version 1: `cpu` or `memory`
  };

  std::vector<Root> roots_;
};

}  // namespace trove::taskmanager
