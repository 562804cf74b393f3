#include "services/taskmanager/guest_specs.h"

namespace trove::taskmanager {

GuestRef RefOf(const Guest& guest, std::int64_t generation) {
  return {guest.id, guest.instance_id, generation};
}

GuestPlace PlaceOf(const Guest& guest, const Endpoint& endpoint) {
  return {guest.placement, guest.control_endpoint, guest.uid, endpoint.address, endpoint.port};
}

VolumeSpec VolumeSpecOf(const OperationTarget& target, std::int64_t generation) {
  return {target.volume.id,
          RefOf(target.guest, generation),
          target.volume.size_gib,
          target.version,
          PlaceOf(target.guest, target.endpoint)};
}

GuestSpec GuestSpecOf(const OperationTarget& target,
                      std::int64_t generation,
                      const MeshAccess& mesh) {
  GuestSpec spec;
  spec.guest = RefOf(target.guest, generation);
  spec.volume_id = target.volume.id;
  spec.volume_size_gib = target.volume.size_gib;
  spec.version = target.version;
  spec.flavor = target.flavor;
  spec.place = PlaceOf(target.guest, target.endpoint);
  spec.mesh = mesh;
  return spec;
}

}  // namespace trove::taskmanager
