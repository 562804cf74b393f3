#include "services/api/task_wake.h"

#include "trove/mesh/v1/bus.pb.h"

namespace trove::api {

void WakeTaskManagers(const Call& call, Bus& bus, const OperationId& operation) {
  mesh::v1::TaskWake wake;
  wake.set_operation_id(operation.value());
  bus.Publish(call, TaskWakeSubject(), wake.SerializeAsString()).IgnoreError();  // only a hint
}

}  // namespace trove::api
