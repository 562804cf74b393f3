#pragma once

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/store/records.h"

namespace trove::taskmanager {

/// How the server is meant to be by what is stored: flavor, version, endpoint, volume and
/// configuration group of the instance. A workflow that changes one of them changes it in the
/// result.
mesh::v1::ServerSettings ServerSettingsOf(const OperationTarget& target);

}  // namespace trove::taskmanager
