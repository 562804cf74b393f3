#include "libtrove/store/sqlite/accept.h"

#include <optional>
#include <utility>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/instance_state.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/insert.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/operations.h"
#include "libtrove/store/sqlite/quotas.h"
#include "libtrove/store/sqlite/requests.h"
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

absl::StatusOr<Accepted> Answer(Transaction& tx, const AcceptedRequest& request, bool repeated) {
  Accepted accepted;
  TROVE_ASSIGN_OR_RETURN(accepted.view, GetInstance(tx, std::nullopt, request.instance_id));
  accepted.operation_id = request.operation_id;
  accepted.repeated = repeated;
  return accepted;
}

absl::StatusOr<Accepted> SaveAndAnswer(Transaction& tx,
                                       const Requester& requester,
                                       const AcceptedRequest& request) {
  TROVE_RETURN_IF_ERROR(SaveRequest(tx, requester, request));
  return Answer(tx, request, /*repeated=*/false);
}

absl::Status SetStatus(Transaction& tx, const InstanceId& id, const NewAction& action) {
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE instances SET task = ?, updated_at = ? WHERE id = ?",
                            action.task,
                            tx.now,
                            id));
  if (action.service) {
    TROVE_RETURN_IF_ERROR(
        Run(tx.db,
            "UPDATE instances SET service = ?, service_updated_at = ? WHERE id = ?",
            *action.service,
            tx.now,
            id));
  }
  return InstanceChanged(tx, "status", id);
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

absl::StatusOr<Accepted> CreateInstance(Transaction& tx,
                                        const Requester& requester,
                                        const NewInstance& wanted) {
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Answer(tx, *earlier, /*repeated=*/true);
  const Instance& instance = wanted.instance;
  if (!instance.system) TROVE_RETURN_IF_ERROR(CheckQuota(tx, instance.project_id, wanted.quota));
  TROVE_RETURN_IF_ERROR(InsertInstance(tx, wanted));
  if (!instance.system)
    TROVE_RETURN_IF_ERROR(Charge(tx, instance.project_id, instance.id, wanted.quota));
  TROVE_RETURN_IF_ERROR(
      InsertOperation(tx, requester, instance.project_id, instance.id, wanted.operation));
  TROVE_ASSIGN_OR_RETURN(const auto created, FindInstance(tx, instance.id));
  TROVE_RETURN_IF_ERROR(InstanceEvent(tx, "created", *created));
  return SaveAndAnswer(tx, requester, {instance.id, wanted.operation.id});
}

absl::StatusOr<Accepted> BeginAction(Transaction& tx,
                                     const Requester& requester,
                                     const NewAction& action) {
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Answer(tx, *earlier, /*repeated=*/true);
  TROVE_ASSIGN_OR_RETURN(const Instance instance, OwnInstance(tx, requester, action.instance_id));
  TROVE_RETURN_IF_ERROR(CheckActionable(instance, /*backup_running=*/false));
  TROVE_ASSIGN_OR_RETURN(const std::optional<Holder> holder, FindHolder(tx, instance.id));
  if (holder) {
    return MakeError(Reason::kOperationRunning,
                     "operation " + holder->id.value() + " (" + holder->kind +
                         ") runs on instance " + instance.id.value() +
                         ": wait until it has ended, or delete the instance",
                     {.retry_after = absl::Seconds(5)});
  }
  TROVE_RETURN_IF_ERROR(
      InsertOperation(tx, requester, instance.project_id, instance.id, action.operation));
  TROVE_RETURN_IF_ERROR(SetStatus(tx, instance.id, action));
  return SaveAndAnswer(tx, requester, {instance.id, action.operation.id});
}

absl::StatusOr<Accepted> BeginDelete(Transaction& tx,
                                     const Requester& requester,
                                     const NewAction& action) {
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return Answer(tx, *earlier, /*repeated=*/true);
  TROVE_ASSIGN_OR_RETURN(const Instance instance, OwnInstance(tx, requester, action.instance_id));
  TROVE_ASSIGN_OR_RETURN(const std::optional<Holder> holder, FindHolder(tx, instance.id));
  if (holder && holder->kind == action.operation.kind)
    return Answer(tx, {instance.id, holder->id}, /*repeated=*/true);
  TROVE_RETURN_IF_ERROR(PreemptHolders(tx, instance.id, action.operation.kind));
  TROVE_RETURN_IF_ERROR(GrowGeneration(tx, instance.id));
  TROVE_RETURN_IF_ERROR(GiveBack(tx, instance.project_id, instance.id));
  TROVE_RETURN_IF_ERROR(
      InsertOperation(tx, requester, instance.project_id, instance.id, action.operation));
  TROVE_RETURN_IF_ERROR(SetStatus(tx, instance.id, action));
  return SaveAndAnswer(tx, requester, {instance.id, action.operation.id});
}

absl::StatusOr<InstanceView> RenameInstance(Transaction& tx,
                                            const Requester& requester,
                                            const InstanceId& id,
                                            const std::string& name) {
  TROVE_ASSIGN_OR_RETURN(const auto earlier, FindRequest(tx, requester));
  if (earlier) return GetInstance(tx, std::nullopt, earlier->instance_id);
  TROVE_ASSIGN_OR_RETURN(const Instance instance, OwnInstance(tx, requester, id));
  TROVE_RETURN_IF_ERROR(SaveRequest(tx, requester, {id, {}}));
  if (instance.name != name) {
    TROVE_RETURN_IF_ERROR(
        Run(tx.db, "UPDATE instances SET name = ?, updated_at = ? WHERE id = ?", name, tx.now, id));
    TROVE_RETURN_IF_ERROR(InstanceChanged(tx, "updated", id));
  }
  return GetInstance(tx, std::nullopt, id);
}

}  // namespace trove::sqlite
