#pragma once

#include <memory>

#include "libtrove/base/clock.h"
#include "libtrove/store/store.h"
#include "services/taskmanager/engine.h"
#include "services/taskmanager/worker_lease.h"
#include "services/taskmanager/workflow.h"
#include "test/support/temporary_directory.h"

namespace trove::taskmanager {

/// An engine on a store in a file, and operations that wait for a signal for an hour each. Used by
/// one thread.
class WaitingOperations {
 public:
  WaitingOperations();
  ~WaitingOperations();
  WaitingOperations(const WaitingOperations&) = delete;
  WaitingOperations& operator=(const WaitingOperations&) = delete;

  /// Accepts `count` more, and returns when all wait.
  void Begin(int count);

  /// Ends one of them by its signal. False: not within a test's patience.
  bool EndOne();

  Store& store() { return *store_; }

 private:
  const TemporaryDirectory folder_;
  const SystemClock clock_;
  const std::unique_ptr<Store> store_;
  const Workflows workflows_;
  WorkerLease lease_;
  Engine engine_;
  int begun_ = 0;
  OperationId last_;
};

}  // namespace trove::taskmanager
