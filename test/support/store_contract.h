#pragma once

#include "test/support/store_fixture.h"

namespace trove {

// Check what store.h promises, section by section; `make` is called once for each.

/// Catalogue, tokens, quotas, and instances as tenants see them.
void CheckStoreForTenants(const MakeStore& make);
/// Accepting creates, actions and deletes.
void CheckStoreAccepts(const MakeStore& make);
/// Operations, workers and signals.
void CheckStoreForEngine(const MakeStore& make);
/// Cancelling and retrying operations, and what repeated requests are told.
void CheckStoreControl(const MakeStore& make);
/// Turns among projects and on hosts.
void CheckStoreTurns(const MakeStore& make);
/// Configuration groups, and locks on more than an instance.
void CheckStoreConfigurations(const MakeStore& make);
/// Lists of operations, the audit record, what is forgotten, events read by filters, and what steps
/// change.
void CheckStoreRecords(const MakeStore& make);
/// Guests, heartbeats, job reports and shards.
void CheckStoreForConductor(const MakeStore& make);
/// Events and leases.
void CheckStoreEvents(const MakeStore& make);
/// Many threads at once.
void CheckStoreInParallel(const MakeStore& make);

/// All of these.
void CheckStoreContract(const MakeStore& make);

}  // namespace trove
