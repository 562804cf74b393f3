#include "services/taskmanager/workflow.h"

#include "libtrove/base/check.h"
#include "libtrove/base/status.h"

namespace trove::taskmanager {

Outcome OutcomeOf(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kPermissionDenied:
      return Fail{MessageOf(error), ""};
    default:
      return RetryAfter{MessageOf(error), std::nullopt};
  }
}

Workflows::Workflows(std::vector<Workflow> workflows) {
  for (Workflow& workflow : workflows) {
    TROVE_CHECK(!workflow.steps.empty());
    auto key = std::pair(workflow.kind, workflow.version);
    TROVE_CHECK(workflows_.emplace(std::move(key), std::move(workflow)).second);
  }
}

const Workflow* Workflows::Find(std::string_view kind, int version) const {
  const auto found = workflows_.find({std::string(kind), version});
  return found == workflows_.end() ? nullptr : &found->second;
}

}  // namespace trove::taskmanager
