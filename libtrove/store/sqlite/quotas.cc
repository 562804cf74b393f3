#include "libtrove/store/sqlite/quotas.h"

#include <cstdint>
#include <string>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

// What an instance is charged for a resource now.
absl::StatusOr<std::int64_t> ChargeOf(Transaction& tx,
                                      const InstanceId& instance,
                                      std::string_view resource) {
  Statement row(tx.db,
                "SELECT amount FROM quota_charges WHERE instance_id = ? AND resource = ?",
                instance,
                resource);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  std::int64_t amount = 0;
  if (found) row.Read(amount);
  return amount;
}

// Adds to what a project uses and has set aside.
absl::Status Count(Transaction& tx,
                   const ProjectId& project,
                   std::string_view resource,
                   std::int64_t used,
                   std::int64_t reserved) {
  return Run(tx.db,
             "INSERT INTO quota_usages (project_id, resource, in_use, reserved) "
             "VALUES (?1, ?2, max(0, ?3), max(0, ?4)) ON CONFLICT (project_id, resource) "
             "DO UPDATE SET in_use = max(0, in_use + ?3), reserved = max(0, reserved + ?4)",
             project,
             resource,
             used,
             reserved);
}

}  // namespace

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
  return CheckQuotas(quotas, deltas);
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
    TROVE_RETURN_IF_ERROR(Count(tx, project, resource, delta.amount, 0));
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

absl::Status SetInstanceCharge(Transaction& tx,
                               const ProjectId& project,
                               const InstanceId& instance,
                               const OperationId& operation,
                               QuotaResource resource,
                               std::int64_t amount) {
  const std::string_view name = QuotaResourceName(resource);
  TROVE_ASSIGN_OR_RETURN(const std::int64_t before, ChargeOf(tx, instance, name));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "INSERT INTO quota_charges (instance_id, resource, amount) "
                            "VALUES (?1, ?2, ?3) ON CONFLICT (instance_id, resource) "
                            "DO UPDATE SET amount = ?3",
                            instance,
                            name,
                            amount));
  TROVE_RETURN_IF_ERROR(Count(tx, project, name, amount - before, 0));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE quota_usages SET reserved = max(0, reserved - q.held) "
                            "FROM operation_quotas q WHERE q.operation_id = ?3 "
                            "AND q.resource = ?2 AND quota_usages.project_id = ?1 "
                            "AND quota_usages.resource = ?2",
                            project,
                            name,
                            operation));
  return Run(tx.db,
             "UPDATE operation_quotas SET held = 0 WHERE operation_id = ? AND resource = ?",
             operation,
             name);
}

absl::Status Reserve(Transaction& tx,
                     const ProjectId& project,
                     const InstanceId& instance,
                     const OperationId& operation,
                     const std::vector<QuotaDelta>& deltas) {
  bool takes = false;
  for (const QuotaDelta& delta : deltas)
    takes = takes || delta.amount > 0;
  if (!takes) return absl::OkStatus();
  TROVE_RETURN_IF_ERROR(CheckQuota(tx, project, deltas));
  for (const QuotaDelta& delta : deltas) {
    if (delta.amount <= 0) continue;
    const std::string_view name = QuotaResourceName(delta.resource);
    TROVE_ASSIGN_OR_RETURN(const std::int64_t charged, ChargeOf(tx, instance, name));
    TROVE_RETURN_IF_ERROR(Run(tx.db,
                              "INSERT INTO operation_quotas (operation_id, resource, target, held) "
                              "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (operation_id, resource) "
                              "DO UPDATE SET target = target + ?4, held = held + ?4",
                              operation,
                              name,
                              charged + delta.amount,
                              delta.amount));
    TROVE_RETURN_IF_ERROR(Count(tx, project, name, 0, delta.amount));
  }
  return absl::OkStatus();
}

absl::Status ReserveAgain(Transaction& tx,
                          const ProjectId& project,
                          const InstanceId& instance,
                          const OperationId& operation) {
  std::vector<QuotaDelta> missing;
  {
    Statement row(tx.db,
                  "SELECT q.resource, q.target - coalesce(c.amount, 0) FROM operation_quotas q "
                  "LEFT JOIN quota_charges c ON c.instance_id = ?2 AND c.resource = q.resource "
                  "WHERE q.operation_id = ?1 AND q.held = 0 AND q.target > coalesce(c.amount, 0)",
                  operation,
                  instance);
    while (true) {
      TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) break;
      std::string name;
      std::int64_t amount = 0;
      row.Read(name, amount);
      for (const QuotaResource resource : kQuotaResources) {
        if (QuotaResourceName(resource) == name) missing.push_back({resource, amount});
      }
    }
  }
  if (missing.empty()) return absl::OkStatus();
  TROVE_RETURN_IF_ERROR(CheckQuota(tx, project, missing));
  for (const QuotaDelta& delta : missing) {
    const std::string_view name = QuotaResourceName(delta.resource);
    TROVE_RETURN_IF_ERROR(
        Run(tx.db,
            "UPDATE operation_quotas SET held = ? WHERE operation_id = ? AND resource = ?",
            delta.amount,
            operation,
            name));
    TROVE_RETURN_IF_ERROR(Count(tx, project, name, 0, delta.amount));
  }
  return absl::OkStatus();
}

absl::Status Unreserve(Transaction& tx, const ProjectId& project, const OperationId& operation) {
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE quota_usages SET reserved = max(0, reserved - q.held) FROM operation_quotas q "
          "WHERE q.operation_id = ?2 AND quota_usages.project_id = ?1 "
          "AND quota_usages.resource = q.resource",
          project,
          operation));
  return Run(
      tx.db, "UPDATE operation_quotas SET held = 0 WHERE operation_id = ? AND held > 0", operation);
}

}  // namespace trove::sqlite
