#pragma once

#include "trove/mesh/v1/task_manager.grpc.pb.h"

#include "services/taskmanager/task_manager.h"

namespace trove::taskmanager {

/// The task manager's door. Thread-safe.
class TaskManagerService final : public mesh::v1::TaskManagerService::CallbackService {
 public:
  /// `task_manager` must outlive this object.
  explicit TaskManagerService(TaskManager& task_manager) : task_manager_(task_manager) {}

  grpc::ServerUnaryReactor* GetEngineStatus(grpc::CallbackServerContext* context,
                                            const mesh::v1::GetEngineStatusRequest* request,
                                            mesh::v1::GetEngineStatusResponse* response) override;

 private:
  TaskManager& task_manager_;
};

}  // namespace trove::taskmanager
