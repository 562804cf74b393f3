#include "services/api/operations.h"

#include <optional>
#include <string>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"
#include "libtrove/model/workflow_outline.h"
#include "services/api/operation_view.h"
#include "services/api/task_wake.h"

namespace trove::api {
namespace {

constexpr int kDefaultPageSize = 20;

absl::StatusOr<OperationFilter> FilterOf(const Caller& caller,
                                         const v1::ListOperationsRequest& request) {
  OperationFilter filter;
  TROVE_ASSIGN_OR_RETURN(filter.project, ListScopeOf(caller, request.all_projects()));
  if (!request.instance_id().empty()) {
    TROVE_RETURN_IF_ERROR(CheckUuid("instance_id", request.instance_id()));
    filter.instance = InstanceId(request.instance_id());
  }
  if (!request.kind().empty() && FindOutline(request.kind()) == nullptr) {
    std::string kinds;
    for (const WorkflowOutline& outline : WorkflowOutlines())
      kinds += (kinds.empty() ? "" : ", ") + outline.kind;
    return FieldError("kind", "must be one of: " + kinds);
  }
  filter.kind = request.kind();
  for (int i = 0; i < request.states_size(); ++i) {
    const std::optional<OperationState> state = ParseState(request.states(i));
    if (!state) return FieldError("states[" + std::to_string(i) + "]", "must be a known state");
    filter.states.push_back(*state);
  }
  return filter;
}

}  // namespace

absl::Status Operations::Get(const Call& call,
                             const Caller& caller,
                             const v1::GetOperationRequest& request,
                             v1::Operation* response) {
  TROVE_ASSIGN_OR_RETURN(const Operation operation,
                         store_.GetOperation(call, ScopeOf(caller), OperationId(request.id())));
  FillOperation(operation, response);
  return absl::OkStatus();
}

absl::Status Operations::List(const Call& call,
                              const Caller& caller,
                              const v1::ListOperationsRequest& request,
                              v1::ListOperationsResponse* response) {
  TROVE_RETURN_IF_ERROR(CheckPageSize("page_size", request.page_size()));
  const int size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  TROVE_ASSIGN_OR_RETURN(const OperationFilter filter, FilterOf(caller, request));
  TROVE_ASSIGN_OR_RETURN(const OperationPage page,
                         store_.ListOperations(call, filter, request.page_token(), size));
  for (const Operation& operation : page.operations)
    FillOperation(operation, response->add_operations());
  response->set_next_page_token(page.next);
  return absl::OkStatus();
}

void Operations::Watch(const Call& call,
                       const Caller& caller,
                       const v1::WatchOperationRequest& request,
                       const rpc::Stream<v1::Operation>& stream) {
  watcher_.Watch(call, ScopeOf(caller), OperationId(request.id()), stream);
}

absl::Status Operations::Cancel(const Call& call,
                                const Caller& caller,
                                const v1::CancelOperationRequest& request,
                                v1::Operation* response) {
  return Apply(call, caller, request, OperationId(request.id()), &Store::CancelOperation, response);
}

absl::Status Operations::Retry(const Call& call,
                               const Caller& caller,
                               const v1::RetryOperationRequest& request,
                               v1::Operation* response) {
  return Apply(call, caller, request, OperationId(request.id()), &Store::RetryOperation, response);
}

absl::Status Operations::Apply(const Call& call,
                               const Caller& caller,
                               const google::protobuf::Message& request,
                               const OperationId& id,
                               Change change,
                               v1::Operation* response) {
  TROVE_ASSIGN_OR_RETURN(const Requester requester, requests_.Ask(caller, request));
  TROVE_ASSIGN_OR_RETURN(const std::optional<Accepted> earlier,
                         requests_.FindAnswer(call, caller, requester, "operations/" + id.value()));
  if (earlier && !earlier->answer.empty()) return ParseAnswer(earlier->answer, response);
  TROVE_ASSIGN_OR_RETURN(const Operation operation,
                         earlier ? store_.GetOperation(call, ScopeOf(caller), id)
                                 : (store_.*change)(call, requester, id));
  if (!earlier) WakeTaskManagers(call, bus_, id);
  FillOperation(operation, response);
  return absl::OkStatus();
}

}  // namespace trove::api
