#include "libtrove/store/sqlite/audit.h"

#include <array>
#include <limits>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

std::string SqlWhere(const std::string& condition) {
  return "SELECT a.id, a.at, a.project_id, a.user, a.roles, a.peer, a.action, a.resource, "
         "a.request_id, a.outcome, a.message, a.operation_id, o.state FROM audit a "
         "LEFT JOIN operations o ON o.id = a.operation_id WHERE a.id < ?1" +
         condition + " ORDER BY a.id DESC LIMIT ?2";
}

}  // namespace

absl::Status RecordAudit(Transaction& tx, const AuditEntry& entry) {
  return Run(tx.db,
             "INSERT INTO audit (at, project_id, user, roles, peer, action, resource, request_id, "
             "outcome, message, operation_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
             tx.now,
             entry.project_id,
             entry.user,
             entry.roles,
             entry.peer,
             entry.action,
             entry.resource,
             entry.request_id,
             entry.outcome,
             entry.message,
             entry.operation_id);
}

absl::Status AuditAccepted(Transaction& tx,
                           const Requester& requester,
                           const Acceptance& acceptance) {
  AuditEntry entry;
  entry.project_id = requester.project_id;
  entry.user = requester.user;
  entry.roles = requester.roles;
  entry.peer = requester.peer;
  entry.action = requester.action.empty() ? acceptance.fallback : requester.action;
  entry.resource = acceptance.resource;
  entry.request_id = requester.request_id;
  entry.outcome = "ACCEPTED";
  if (acceptance.repeated) entry.message = "the same request was accepted before";
  entry.operation_id = acceptance.operation_id;
  return RecordAudit(tx, entry);
}

// The narrowest index leads: the other conditions look at its rows alone. A unary plus keeps a
// condition from being taken for the index.
const std::string& ListAuditSql(const AuditFilter& filter) {
  static const std::array kSql = {
      SqlWhere(""),
      SqlWhere(" AND a.project_id = ?3"),
      SqlWhere(" AND a.user = ?4"),
      SqlWhere(" AND a.user = ?4 AND +a.project_id = ?3"),
      SqlWhere(" AND a.resource = ?5"),
      SqlWhere(" AND a.resource = ?5 AND +a.project_id = ?3"),
      SqlWhere(" AND a.resource = ?5 AND +a.user = ?4"),
      SqlWhere(" AND a.resource = ?5 AND +a.user = ?4 AND +a.project_id = ?3"),
  };
  const int index =
      (filter.project ? 1 : 0) + (filter.user.empty() ? 0 : 2) + (filter.resource.empty() ? 0 : 4);
  return kSql[static_cast<std::size_t>(index)];
}

absl::StatusOr<std::vector<AuditEntry>> ListAudit(Transaction& tx,
                                                  const AuditFilter& filter,
                                                  std::int64_t before,
                                                  int limit) {
  std::vector<AuditEntry> entries;
  Statement row(tx.db,
                ListAuditSql(filter),
                before == 0 ? std::numeric_limits<std::int64_t>::max() : before,
                limit,
                filter.project,
                filter.user,
                filter.resource);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return entries;
    AuditEntry& e = entries.emplace_back();
    row.Read(e.id, e.at, e.project_id, e.user, e.roles, e.peer, e.action, e.resource);
    row.Read(e.request_id, e.outcome, e.message, e.operation_id, e.operation_state);
  }
}

}  // namespace trove::sqlite
