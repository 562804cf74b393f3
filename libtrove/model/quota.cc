#include "libtrove/model/quota.h"

#include "libtrove/model/errors.h"

namespace trove {

std::string_view QuotaResourceName(QuotaResource resource) {
  switch (resource) {
    case QuotaResource::kInstances:
      return "instances";
    case QuotaResource::kRam:
      return "ram";
    case QuotaResource::kVolumes:
      return "volumes";
    case QuotaResource::kBackups:
      return "backups";
  }
  return "";
}

std::int64_t DefaultQuotaLimit(QuotaResource resource) {
  switch (resource) {
    case QuotaResource::kInstances:
      return 10;
    case QuotaResource::kRam:
      return -1;
    case QuotaResource::kVolumes:
      return 40;
    case QuotaResource::kBackups:
      return 50;
  }
  return -1;
}

std::vector<std::string> ExceededQuotas(const std::vector<Quota>& quotas,
                                        const std::vector<QuotaDelta>& deltas) {
  std::vector<std::string> exceeded;
  for (const QuotaDelta& delta : deltas) {
    if (delta.amount <= 0) continue;
    for (const Quota& quota : quotas) {
      if (quota.resource != delta.resource || quota.limit < 0) continue;
      if (quota.in_use + quota.reserved + delta.amount > quota.limit) {
        exceeded.emplace_back(QuotaResourceName(quota.resource));
      }
    }
  }
  return exceeded;
}

absl::Status CheckQuotas(const std::vector<Quota>& quotas, const std::vector<QuotaDelta>& deltas) {
  const std::vector<std::string> exceeded = ExceededQuotas(quotas, deltas);
  if (exceeded.empty()) return absl::OkStatus();
  std::string names;
  for (const std::string& name : exceeded)
    names += (names.empty() ? "'" : ", '") + name + "'";
  return MakeError(Reason::kQuotaExceeded,
                   "Quota exceeded for resources: [" + names + "]",
                   {.help = "delete what is not needed, or ask an operator for a higher quota"});
}

std::vector<QuotaDelta> InstanceQuota(std::int64_t ram_mib, int volume_size_gib) {
  return {{QuotaResource::kInstances, 1},
          {QuotaResource::kRam, ram_mib},
          {QuotaResource::kVolumes, volume_size_gib}};
}

}  // namespace trove
