#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

namespace trove {

/// What is counted for each project. Names and order are Trove's.
enum class QuotaResource { kInstances, kRam, kVolumes, kBackups };
inline constexpr std::array kQuotaResources = {QuotaResource::kInstances,
                                               QuotaResource::kRam,
                                               QuotaResource::kVolumes,
                                               QuotaResource::kBackups};

/// `instances`, `ram` (MiB), `volumes` (GiB), `backups`.
std::string_view QuotaResourceName(QuotaResource resource);

/// Limit and use of one resource in one project.
struct Quota {
  QuotaResource resource = QuotaResource::kInstances;
  std::int64_t limit = -1;  ///< -1: unlimited
  std::int64_t in_use = 0;
  std::int64_t reserved = 0;

  friend bool operator==(const Quota&, const Quota&) = default;
};

/// How much a request takes (positive) or gives back (negative) of one resource.
struct QuotaDelta {
  QuotaResource resource = QuotaResource::kInstances;
  std::int64_t amount = 0;
};

/// The limit of a project that has none of its own: 10 instances, unlimited RAM, 40 GiB of volumes,
/// 50 backups.
std::int64_t DefaultQuotaLimit(QuotaResource resource);

/// The resources that `deltas` would take over their limits, by name; empty when all fit. A delta
/// that is not positive always fits.
std::vector<std::string> ExceededQuotas(const std::vector<Quota>& quotas,
                                        const std::vector<QuotaDelta>& deltas);

/// kQuotaExceeded names the resources that `deltas` would take over their limits.
absl::Status CheckQuotas(const std::vector<Quota>& quotas, const std::vector<QuotaDelta>& deltas);

/// What an instance of this size takes.
std::vector<QuotaDelta> InstanceQuota(std::int64_t ram_mib, int volume_size_gib);

}  // namespace trove
