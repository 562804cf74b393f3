#include "libtrove/store/sqlite/control.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/accept.h"
#include "libtrove/store/sqlite/audit.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/operations.h"
#include "libtrove/store/sqlite/quotas.h"
#include "libtrove/store/sqlite/requests.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/views.h"

namespace trove::sqlite {
namespace {

// What was set when an operation was accepted.
struct AcceptedWith {
  absl::Time at;
  TaskStatus task = TaskStatus::kNone;
  std::optional<ServiceStatus> service;
  std::vector<std::string> locks;
  bool input_lost = false;
  bool superseded = false;  // another one was accepted for its instance since
};

absl::StatusOr<Operation> OwnOperation(Transaction& tx,
                                       const Requester& requester,
                                       const OperationId& id) {
  std::optional<ProjectId> scope;
  if (!requester.admin) scope = requester.project_id;
  return GetOperation(tx, scope, id);
}

absl::StatusOr<AcceptedWith> ReadAccepted(Transaction& tx, const OperationId& id) {
  Statement row(tx.db,
                "SELECT o.accepted_at, o.accepted_task, o.accepted_service, o.locks, o.input_lost, "
                "EXISTS (SELECT 1 FROM operations l WHERE l.instance_id = o.instance_id "
                "AND l.rowid > o.rowid) FROM operations o WHERE o.id = ?",
                id);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  AcceptedWith with;
  row.Read(with.at, with.task, with.service, with.locks, with.input_lost, with.superseded);
  return with;
}

// The same request came before: the operation as it is now.
absl::StatusOr<Operation> Repeat(Transaction& tx,
                                 const Requester& requester,
                                 const char* action,
                                 const AcceptedRequest& earlier) {
  TROVE_RETURN_IF_ERROR(AuditAccepted(
      tx, requester, {action, earlier.resource, earlier.operation_id, /*repeated=*/true}));
  return GetOperation(tx, std::nullopt, earlier.operation_id);
}

absl::StatusOr<Operation> Accept(Transaction& tx,
                                 const Requester& requester,
                                 const char* action,
                                 const Operation& operation) {
  const std::string resource = ResourceOf(operation.id);
  TROVE_RETURN_IF_ERROR(
      SaveRequest(tx, requester, {operation.instance_id, operation.id, resource, {}}));
  TROVE_RETURN_IF_ERROR(
      AuditAccepted(tx, requester, {action, resource, operation.id, /*repeated=*/false}));
  return GetOperation(tx, std::nullopt, operation.id);
}

absl::Status NotRetryable(const OperationId& id, std::string_view why) {
  return MakeError(Reason::kNotRetryable,
                   "operation " + id.value() + " cannot be taken up again: " + std::string(why));
}

absl::Status CheckRetryable(Transaction& tx, const Operation& operation, const AcceptedWith& with) {
  if (operation.state != OperationState::kFailed) {
    return NotRetryable(operation.id,
                        IsEnded(operation.state) ? "it has not failed" : "it has not ended");
  }
  TROVE_ASSIGN_OR_RETURN(const std::optional<Instance> instance,
                         FindInstance(tx, operation.instance_id));
  if (!instance) return NotRetryable(operation.id, "its instance is gone");
  if (with.superseded)
    return NotRetryable(operation.id, "something else was done to its instance since");
  if (with.input_lost) {
    return NotRetryable(operation.id,
                        "what it was asked for, passwords among it, has been erased since it "
                        "failed: ask for the same anew, after deleting the instance if this was to "
                        "create it");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Operation> CancelOperation(Transaction& tx,
                                          const Requester& requester,
                                          const OperationId& id) {
  constexpr char kAction[] = "CancelOperation";
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Repeat(tx, requester, kAction, *earlier);
  TROVE_ASSIGN_OR_RETURN(const Operation operation, OwnOperation(tx, requester, id));
  if (IsEnded(operation.state)) {
    return MakeError(Reason::kOperationEnded,
                     "operation " + id.value() + " has ended: there is nothing to cancel");
  }
  if (operation.cancel_requested) return Accept(tx, requester, kAction, operation);
  if (!operation.cancellable) {
    return MakeError(Reason::kNotCancellable,
                     "operation " + id.value() + " (" + operation.kind +
                         ") is past what can be undone: wait until it has ended");
  }
  // Whoever holds it learns of it with its next write. One that waits for its turn needs none.
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE operations SET cancel_requested = 1, updated_at = ?2, version = version + 1, "
          "due_at = CASE WHEN owner IS NULL THEN min(due_at, ?2) ELSE due_at END, "
          "turn = CASE WHEN turn = 1 THEN 2 ELSE turn END WHERE id = ?1",
          id,
          tx.now));
  TROVE_RETURN_IF_ERROR(OperationEvent(tx, "cancel_requested", id, requester.user));
  return Accept(tx, requester, kAction, operation);
}

absl::StatusOr<Operation> RetryOperation(Transaction& tx,
                                         const Requester& requester,
                                         const OperationId& id) {
  constexpr char kAction[] = "RetryOperation";
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Repeat(tx, requester, kAction, *earlier);
  TROVE_ASSIGN_OR_RETURN(const Operation operation, OwnOperation(tx, requester, id));
  TROVE_ASSIGN_OR_RETURN(const AcceptedWith with, ReadAccepted(tx, id));
  TROVE_RETURN_IF_ERROR(CheckRetryable(tx, operation, with));
  TROVE_RETURN_IF_ERROR(TakeLocks(tx, id, operation.instance_id, LocksOf(with.locks)));
  TROVE_RETURN_IF_ERROR(ReserveAgain(tx, operation.project_id, operation.instance_id, id));
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE operations SET state = 1, owner = NULL, due_at = ?2, deadline = ?3, "
          "accepted_at = ?2, retries = retries + 1, cancel_requested = 0, error = '', help = '', "
          "reason = '', awaited_signal = '', waiting_since = NULL, finished_at = NULL, host = '', "
          "turn = 0, updated_at = ?2, version = version + 1 WHERE id = ?1",
          id,
          tx.now,
          operation.deadline == absl::InfiniteFuture() ? operation.deadline
                                                       : tx.now + (operation.deadline - with.at)));
  TROVE_RETURN_IF_ERROR(
      Run(tx.db, "UPDATE operation_inputs SET failed_at = NULL WHERE operation_id = ?", id));
  TROVE_RETURN_IF_ERROR(SetAcceptedStatus(tx, operation.instance_id, with.task, with.service));
  TROVE_RETURN_IF_ERROR(InstanceChanged(tx, "status", operation.instance_id, requester.user));
  TROVE_RETURN_IF_ERROR(OperationEvent(tx, "retried", id, requester.user));
  return Accept(tx, requester, kAction, operation);
}

}  // namespace trove::sqlite
