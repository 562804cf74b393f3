#include "services/taskmanager/task_manager_service.h"

#include <google/protobuf/util/time_util.h>

#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/handlers.h"

namespace trove::taskmanager {

grpc::ServerUnaryReactor* TaskManagerService::GetEngineStatus(
    grpc::CallbackServerContext* context,
    const mesh::v1::GetEngineStatusRequest* /*request*/,
    mesh::v1::GetEngineStatusResponse* response) {
  return rpc::Inline(context, [&](const Call& call) -> absl::Status {
    TROVE_ASSIGN_OR_RETURN(const TaskManager::Status status, task_manager_.GetStatus(call));
    response->set_worker_id(status.worker.value());
    if (status.lease_until != absl::InfinitePast())
      *response->mutable_lease_until() = google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
          absl::ToUnixNanos(status.lease_until));
    response->set_held(status.held);
    response->set_open(status.counts.open_operations);
    response->set_finished(status.finished);
    response->set_events_waiting(status.counts.events_waiting);
    return absl::OkStatus();
  });
}

}  // namespace trove::taskmanager
