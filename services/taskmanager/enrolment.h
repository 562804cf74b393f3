#pragma once

#include "libtrove/base/id.h"
#include "libtrove/base/secret.h"
#include "libtrove/identity/sealing.h"

namespace trove::taskmanager {

/// The one-time token that a guest enrols with during one operation: the same each time, so that a
/// step which runs twice does not take away the token with which the guest is just enrolling. Only
/// who has the master key can say it (HMAC-SHA256 over both ids).
Secret EnrolmentTokenOf(const identity::MasterKey& key,
                        const OperationId& operation,
                        const GuestId& guest);

}  // namespace trove::taskmanager
