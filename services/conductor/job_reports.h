#pragma once

#include <memory>

#include <absl/status/status.h>

#include "libtrove/base/executor.h"
#include "libtrove/base/log.h"
#include "libtrove/bus/bus.h"
#include "libtrove/store/store.h"

namespace trove::conductor {

/// Takes job reports from guests into the store, and acknowledges each once it is durable. A report
/// that is not acknowledged is repeated by its guest. Thread-safe.
class JobReports {
 public:
  /// All must outlive this object.
  JobReports(Store& store, Bus& bus, Log log);

  /// Shares the reports with the other conductors from now on.
  absl::Status Start(const Call& call);

 private:
  void Take(const BusMessage& message);

  Store& store_;
  Bus& bus_;
  const Log log_;
  Executor writers_;
  std::unique_ptr<Subscription> subscription_;  // ends before what it uses
};

}  // namespace trove::conductor
