#include "test/support/store_contract.h"

namespace trove {

void CheckStoreContract(const MakeStore& make) {
  CheckStoreForTenants(make);
  CheckStoreAccepts(make);
  CheckStoreForEngine(make);
  CheckStoreControl(make);
  CheckStoreTurns(make);
  CheckStoreConfigurations(make);
  CheckStoreRecords(make);
  CheckStoreForConductor(make);
  CheckStoreEvents(make);
  CheckStoreInParallel(make);
}

}  // namespace trove
