#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

#include "trove/v1/operation.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/store/store.h"

namespace trove::api {

/// What an operation that is only asked about would be.
struct PlanSubject {
  std::string kind;
  DatastoreId datastore_id;
  ProjectId project_id;             ///< whose quotas change
  std::vector<QuotaDelta> takes;    ///< has to fit
  std::vector<QuotaDelta> effects;  ///< what changes in the end
  std::vector<std::string> notes;
};

/// Says what it would do, how long its steps took lately, and what it would do to the quotas.
/// Changes nothing. Errors: kQuotaExceeded; else as Store.
absl::Status FillPlan(const Call& call,
                      Store& store,
                      const PlanSubject& subject,
                      v1::OperationPlan* plan);

}  // namespace trove::api
