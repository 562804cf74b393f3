#include "services/taskmanager/enrolment.h"

#include "libtrove/identity/derive.h"

namespace trove::taskmanager {

Secret EnrolmentTokenOf(const identity::MasterKey& key,
                        const OperationId& operation,
                        const GuestId& guest) {
  const Secret derived = identity::DeriveSecret(
      key.bytes(), "trove enrolment token\n" + operation.value() + "\n" + guest.value());
  return Secret("tre_" + derived.Reveal());
}

}  // namespace trove::taskmanager
