#include "libtrove/store/sqlite/quotas.h"

#include <cstdint>
#include <string>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {

absl::StatusOr<std::vector<Quota>> GetQuotas(Transaction& tx, const ProjectId& project) {
  std::vector<Quota> quotas;
  for (const QuotaResource resource : kQuotaResources) {
    Quota& quota = quotas.emplace_back(Quota{resource, DefaultQuotaLimit(resource), 0, 0});
    Statement row(tx.db,
                  "SELECT q.hard_limit, coalesce(u.in_use, 0), coalesce(u.reserved, 0) "
                  "FROM (SELECT ? AS project_id, ? AS resource) k "
                  "LEFT JOIN quotas q ON q.project_id = k.project_id AND q.resource = k.resource "
                  "LEFT JOIN quota_usages u "
                  "ON u.project_id = k.project_id AND u.resource = k.resource",
                  project,
                  QuotaResourceName(resource));
    TROVE_RETURN_IF_ERROR(row.Step().status());
    std::optional<std::int64_t> limit;
    row.Read(limit, quota.in_use, quota.reserved);
    quota.limit = limit.value_or(quota.limit);
  }
  return quotas;
}

absl::Status CheckQuota(Transaction& tx,
                        const ProjectId& project,
                        const std::vector<QuotaDelta>& deltas) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Quota> quotas, GetQuotas(tx, project));
  const std::vector<std::string> exceeded = ExceededQuotas(quotas, deltas);
  if (exceeded.empty()) return absl::OkStatus();
  std::string names;
  for (const std::string& name : exceeded)
    names += (names.empty() ? "'" : ", '") + name + "'";
  return MakeError(Reason::kQuotaExceeded,
                   "Quota exceeded for resources: [" + names + "]",
                   {.help = "delete what is not needed, or ask an operator for a higher quota"});
}

absl::Status Charge(Transaction& tx,
                    const ProjectId& project,
                    const InstanceId& instance,
                    const std::vector<QuotaDelta>& deltas) {
  for (const QuotaDelta& delta : deltas) {
    const std::string_view resource = QuotaResourceName(delta.resource);
    TROVE_RETURN_IF_ERROR(Run(tx.db,
                              "INSERT INTO quota_charges (instance_id, resource, amount) "
                              "VALUES (?, ?, ?)",
                              instance,
                              resource,
                              delta.amount));
    TROVE_RETURN_IF_ERROR(Run(tx.db,
                              "INSERT INTO quota_usages (project_id, resource, in_use) "
                              "VALUES (?1, ?2, max(0, ?3)) ON CONFLICT (project_id, resource) "
                              "DO UPDATE SET in_use = max(0, in_use + ?3)",
                              project,
                              resource,
                              delta.amount));
  }
  return absl::OkStatus();
}

absl::Status GiveBack(Transaction& tx, const ProjectId& project, const InstanceId& instance) {
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE quota_usages SET in_use = max(0, in_use - c.amount) FROM quota_charges c "
          "WHERE c.instance_id = ?2 AND quota_usages.project_id = ?1 "
          "AND quota_usages.resource = c.resource",
          project,
          instance));
  return Run(tx.db, "DELETE FROM quota_charges WHERE instance_id = ?", instance);
}

}  // namespace trove::sqlite
