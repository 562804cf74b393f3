#include "services/taskmanager/workflow.h"

#include <limits>

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

const Workflow* Workflows::Newest(std::string_view kind) const {
  auto after = workflows_.upper_bound({std::string(kind), std::numeric_limits<int>::max()});
  if (after == workflows_.begin()) return nullptr;
  --after;
  return after->first.first == kind ? &after->second : nullptr;
}

std::vector<const Workflow*> Workflows::All() const {
  std::vector<const Workflow*> all;
  all.reserve(workflows_.size());
  for (const auto& [key, workflow] : workflows_)
    all.push_back(&workflow);
  return all;
}

}  // namespace trove::taskmanager
