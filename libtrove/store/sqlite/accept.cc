#include "libtrove/store/sqlite/accept.h"

#include <optional>
#include <utility>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/instance_state.h"
#include "libtrove/store/sqlite/audit.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/insert.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/operations.h"
#include "libtrove/store/sqlite/quotas.h"
#include "libtrove/store/sqlite/requests.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/views.h"

namespace trove::sqlite {
namespace {

std::optional<ProjectId> ScopeOf(const Requester& requester) {
  if (requester.admin) return std::nullopt;
  return requester.project_id;
}

// The instance that a requester may act on.
absl::StatusOr<Instance> OwnInstance(Transaction& tx,
                                     const Requester& requester,
                                     const InstanceId& id) {
  TROVE_ASSIGN_OR_RETURN(std::optional<Instance> instance, FindInstance(tx, id));
  if (!instance || (!requester.admin && instance->project_id != requester.project_id))
    return InstanceNotFound(tx, ScopeOf(requester), id);
  return *std::move(instance);
}

// What a request was told when it was accepted before, and how things are now.
absl::StatusOr<Accepted> AnswerAgain(Transaction& tx, const AcceptedRequest& earlier) {
  Accepted accepted;
  absl::StatusOr<InstanceView> view = GetInstance(tx, std::nullopt, earlier.instance_id);
  if (!view.ok() && !absl::IsNotFound(view.status())) return std::move(view).status();
  if (view.ok()) accepted.view = *std::move(view);
  accepted.operation_id = earlier.operation_id;
  accepted.repeated = true;
  accepted.answer = earlier.answer;
  return accepted;
}

absl::StatusOr<Accepted> Repeat(Transaction& tx,
                                const Requester& requester,
                                const char* action,
                                const AcceptedRequest& earlier) {
  TROVE_RETURN_IF_ERROR(AuditAccepted(
      tx, requester, {action, earlier.resource, earlier.operation_id, /*repeated=*/true}));
  return AnswerAgain(tx, earlier);
}

absl::Status CheckSeen(const Instance& instance, const NewAction& action) {
  if (action.seen_version == 0 || action.seen_version == instance.version) return absl::OkStatus();
  return absl::AbortedError("instance " + instance.id.value() +
                            " changed while the request was checked: try again");
}

// The answer to what has just been accepted, kept for whoever asks again.
absl::StatusOr<Accepted> Accept(Transaction& tx,
                                const Requester& requester,
                                const char* action,
                                const InstanceId& instance,
                                const OperationId& operation) {
  Accepted accepted;
  TROVE_ASSIGN_OR_RETURN(accepted.view, GetInstance(tx, std::nullopt, instance));
  accepted.operation_id = operation;
  AcceptedRequest request{instance, operation, ResourceOf(instance), {}};
  if (!requester.request_id.empty() && requester.answer)
    request.answer = requester.answer(accepted);
  TROVE_RETURN_IF_ERROR(SaveRequest(tx, requester, request));
  TROVE_RETURN_IF_ERROR(
      AuditAccepted(tx, requester, {action, request.resource, operation, /*repeated=*/false}));
  return accepted;
}

absl::Status SetStatus(Transaction& tx,
                       const Requester& requester,
                       const InstanceId& id,
                       const NewAction& action) {
  TROVE_RETURN_IF_ERROR(SetAcceptedStatus(tx, id, action.task, action.service));
  return InstanceChanged(tx, "status", id, requester.user);
}

// Ends every operation that holds the instance. Nobody undoes or finishes it: its owner, if it has
// one, finds that it owns it no more.
absl::Status PreemptHolders(Transaction& tx, const InstanceId& instance, const std::string& by) {
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const std::optional<Holder> holder, FindHolder(tx, instance));
    if (!holder) return absl::OkStatus();
    TROVE_RETURN_IF_ERROR(PreemptOperation(tx, holder->id, by));
  }
}

}  // namespace

absl::Status SetAcceptedStatus(Transaction& tx,
                               const InstanceId& id,
                               TaskStatus task,
                               const std::optional<ServiceStatus>& service) {
  TROVE_RETURN_IF_ERROR(
      Run(tx.db, "UPDATE instances SET task = ?, updated_at = ? WHERE id = ?", task, tx.now, id));
  if (!service) return absl::OkStatus();
  return Run(tx.db,
             "UPDATE instances SET service = ?, service_updated_at = ? WHERE id = ?",
             *service,
             tx.now,
             id);
}

absl::StatusOr<Accepted> CreateInstance(Transaction& tx,
                                        const Requester& requester,
                                        const NewInstance& wanted) {
  constexpr char kAction[] = "CreateInstance";
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Repeat(tx, requester, kAction, *earlier);
  const Instance& instance = wanted.instance;
  if (!instance.system) TROVE_RETURN_IF_ERROR(CheckQuota(tx, instance.project_id, wanted.quota));
  TROVE_RETURN_IF_ERROR(InsertInstance(tx, requester, wanted));
  if (!instance.system)
    TROVE_RETURN_IF_ERROR(Charge(tx, instance.project_id, instance.id, wanted.quota));
  TROVE_RETURN_IF_ERROR(InsertOperation(
      tx,
      requester,
      {instance, wanted.operation, TaskStatus::kBuilding, ServiceStatus::kNew, wanted.locks}));
  TROVE_ASSIGN_OR_RETURN(const auto created, FindInstance(tx, instance.id));
  TROVE_RETURN_IF_ERROR(InstanceEvent(tx, "created", *created, requester.user));
  return Accept(tx, requester, kAction, instance.id, wanted.operation.id);
}

absl::StatusOr<Accepted> BeginAction(Transaction& tx,
                                     const Requester& requester,
                                     const NewAction& action) {
  constexpr char kAction[] = "BeginAction";
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Repeat(tx, requester, kAction, *earlier);
  TROVE_ASSIGN_OR_RETURN(const Instance instance, OwnInstance(tx, requester, action.instance_id));
  TROVE_RETURN_IF_ERROR(CheckSeen(instance, action));
  TROVE_RETURN_IF_ERROR(CheckAction(action.guard, instance, /*backup_running=*/false));
  TROVE_RETURN_IF_ERROR(InsertOperation(
      tx, requester, {instance, action.operation, action.task, action.service, action.locks}));
  if (!instance.system) {
    TROVE_RETURN_IF_ERROR(
        Reserve(tx, instance.project_id, instance.id, action.operation.id, action.quota));
  }
  TROVE_RETURN_IF_ERROR(SetStatus(tx, requester, instance.id, action));
  return Accept(tx, requester, kAction, instance.id, action.operation.id);
}

absl::StatusOr<Accepted> BeginDelete(Transaction& tx,
                                     const Requester& requester,
                                     const NewAction& action) {
  constexpr char kAction[] = "DeleteInstance";
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Repeat(tx, requester, kAction, *earlier);
  TROVE_ASSIGN_OR_RETURN(const Instance instance, OwnInstance(tx, requester, action.instance_id));
  TROVE_ASSIGN_OR_RETURN(const std::optional<Holder> holder, FindHolder(tx, instance.id));
  if (holder && holder->kind == action.operation.kind) {
    TROVE_ASSIGN_OR_RETURN(Accepted same, Accept(tx, requester, kAction, instance.id, holder->id));
    same.repeated = true;
    return same;
  }
  TROVE_RETURN_IF_ERROR(PreemptHolders(tx, instance.id, action.operation.kind));
  TROVE_RETURN_IF_ERROR(GrowGeneration(tx, instance.id));
  TROVE_RETURN_IF_ERROR(GiveBack(tx, instance.project_id, instance.id));
  TROVE_RETURN_IF_ERROR(InsertOperation(
      tx, requester, {instance, action.operation, action.task, action.service, action.locks}));
  TROVE_RETURN_IF_ERROR(SetStatus(tx, requester, instance.id, action));
  return Accept(tx, requester, kAction, instance.id, action.operation.id);
}

absl::StatusOr<std::optional<Accepted>> FindAnswer(Transaction& tx, const Requester& requester) {
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  std::optional<Accepted> answer;
  if (!earlier) return answer;
  TROVE_ASSIGN_OR_RETURN(answer, AnswerAgain(tx, *earlier));
  return answer;
}

absl::StatusOr<Accepted> RenameInstance(Transaction& tx,
                                        const Requester& requester,
                                        const InstanceId& id,
                                        const std::string& name) {
  constexpr char kAction[] = "RenameInstance";
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Repeat(tx, requester, kAction, *earlier);
  TROVE_ASSIGN_OR_RETURN(const Instance instance, OwnInstance(tx, requester, id));
  if (instance.name != name) {
    TROVE_RETURN_IF_ERROR(
        Run(tx.db, "UPDATE instances SET name = ?, updated_at = ? WHERE id = ?", name, tx.now, id));
    TROVE_RETURN_IF_ERROR(InstanceChanged(tx, "updated", id, requester.user));
  }
  return Accept(tx, requester, kAction, id, {});
}

}  // namespace trove::sqlite
