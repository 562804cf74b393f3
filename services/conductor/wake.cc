#include "services/conductor/wake.h"

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/bus/subject.h"

namespace trove::conductor {

void WakeTaskManagers(const Call& call, Bus& bus, const OperationId& operation) {
  mesh::v1::TaskWake wake;
  wake.set_operation_id(operation.value());
  bus.Publish(call, TaskWakeSubject(), wake.SerializeAsString()).IgnoreError();  // a hint
}

}  // namespace trove::conductor
