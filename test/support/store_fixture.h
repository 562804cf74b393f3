#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libtrove/base/clock.h"
#include "libtrove/store/store.h"
#include "test/support/fake_clock.h"
#include "test/support/store_samples.h"

namespace trove {

/// Makes an empty store that goes by `clock`, which outlives it.
using MakeStore = std::function<std::unique_ptr<Store>(const Clock& clock)>;

/// A store with a catalogue and a clock of its own, and the few moves that most tests begin with.
/// Each checks that it succeeded. Used on the test's own thread.
struct StoreFixture {
  explicit StoreFixture(const MakeStore& make);

  /// Accepts an instance.
  Accepted Create(const std::string& project, const std::string& name);
  /// Accepts an instance and builds it: ACTIVE, HEALTHY, held by nobody.
  InstanceId Active(const std::string& project, const std::string& name);
  /// Registers a worker whose lease is ten seconds.
  WorkerId Worker(const std::string& name);
  /// Claims the one operation that is due.
  ClaimedOperation ClaimOne(const WorkerId& worker);
  /// Ends an operation well.
  void Succeed(const WorkerId& worker,
               const Operation& operation,
               const std::vector<Effect>& effects = {});
  /// Gives an operation back to wait for `signal` or until `due`.
  void Wait(const WorkerId& worker,
            Operation operation,
            const std::string& signal,
            absl::Time due = absl::InfiniteFuture());
  InstanceView Get(const InstanceId& id);
  /// Stamps and reads every event so far.
  std::vector<EventRecord> Events();

  FakeClock clock;
  std::unique_ptr<Store> store;
};

}  // namespace trove
