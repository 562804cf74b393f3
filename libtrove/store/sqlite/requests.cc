#include "libtrove/store/sqlite/requests.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

constexpr absl::Duration kKept = absl::Hours(24);

}  // namespace

absl::StatusOr<std::optional<AcceptedRequest>> FindRequest(Transaction& tx,
                                                           const Requester& requester) {
  std::optional<AcceptedRequest> accepted;
  if (requester.request_id.empty()) return accepted;
  Statement row(tx.db,
                "SELECT fingerprint, instance_id, operation_id, resource, answer FROM requests "
                "WHERE project_id = ? AND request_id = ? AND at > ?",
                requester.project_id,
                requester.request_id,
                tx.now - kKept);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return accepted;
  std::string fingerprint;
  accepted.emplace();
  row.Read(fingerprint, accepted->instance_id, accepted->operation_id);
  row.Read(accepted->resource, accepted->answer);
  if (fingerprint == requester.fingerprint) return accepted;
  return MakeError(Reason::kRequestIdReused,
                   "request id " + requester.request_id +
                       " came with another request in the last 24 hours: use a new one");
}

absl::Status SaveRequest(Transaction& tx,
                         const Requester& requester,
                         const AcceptedRequest& accepted) {
  if (requester.request_id.empty()) return absl::OkStatus();
  // Each new one sweeps a few old ones, so that they never pile up.
  TROVE_RETURN_IF_ERROR(SweepRequests(tx, 10).status());
  return Run(tx.db,
             "INSERT OR REPLACE INTO requests (project_id, request_id, fingerprint, "
             "instance_id, operation_id, resource, answer, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
             requester.project_id,
             requester.request_id,
             requester.fingerprint,
             accepted.instance_id,
             accepted.operation_id,
             accepted.resource,
             Blob{accepted.answer},
             tx.now);
}

absl::StatusOr<int> SweepRequests(Transaction& tx, int limit) {
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests "
                            "WHERE at <= ? ORDER BY at LIMIT ?)",
                            tx.now - kKept,
                            limit));
  return tx.db.changes();
}

}  // namespace trove::sqlite
