#pragma once

#include <memory>
#include <utility>

#include "test/integration/taskmanager/small_mesh.h"
#include "test/support/memory_bus.h"

namespace trove::taskmanager {

/// A mesh on the bus in memory, each side with its own connection.
struct MemoryMesh {
  explicit MemoryMesh(SimulatedGuests::Options options = {})
      : mesh({&task_manager_bus, conductor_bus.get(), guests_bus.get()}, std::move(options)) {}

  MemoryBus task_manager_bus;
  std::unique_ptr<MemoryBus> conductor_bus = task_manager_bus.Peer();
  std::unique_ptr<MemoryBus> guests_bus = task_manager_bus.Peer();
  SmallMesh mesh;
};

/// Whether the host has nothing of any guest.
inline bool NothingIsLeft(SmallMesh& mesh) {
  return mesh.provisioner.guests().empty() && mesh.provisioner.volumes().empty() &&
         mesh.provisioner.ports().empty() && mesh.provisioner.snapshots().empty();
}

}  // namespace trove::taskmanager
