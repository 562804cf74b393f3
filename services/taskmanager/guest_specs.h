#pragma once

#include <cstdint>

#include "libtrove/model/instance.h"
#include "libtrove/store/records.h"
#include "services/taskmanager/provisioner.h"

namespace trove::taskmanager {

// What the store knows of a guest, in a provisioner's words.

GuestRef RefOf(const Guest& guest, std::int64_t generation);

/// Empty when the guest has no place yet.
GuestPlace PlaceOf(const Guest& guest, const Endpoint& endpoint);

VolumeSpec VolumeSpecOf(const OperationTarget& target, std::int64_t generation);

/// Without an enrolment token.
GuestSpec GuestSpecOf(const OperationTarget& target,
                      std::int64_t generation,
                      const MeshAccess& mesh);

}  // namespace trove::taskmanager
