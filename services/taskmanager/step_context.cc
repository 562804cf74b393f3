#include "services/taskmanager/step_context.h"

#include <algorithm>

#include "libtrove/base/status_macros.h"

namespace trove::taskmanager {

absl::StatusOr<OperationTarget> StepContext::Target() {
  if (!target_) {
    TROVE_ASSIGN_OR_RETURN(target_, scope_.load(scope_.call));
  }
  return *target_;
}

const Signal* StepContext::FindSignal(std::string_view name) const {
  const auto found = std::find_if(scope_.signals->begin(),
                                  scope_.signals->end(),
                                  [&](const Signal& signal) { return signal.name == name; });
  return found == scope_.signals->end() ? nullptr : &*found;
}

std::string StepContext::Fact(const std::string& name) const {
  const auto found = scope_.facts->find(name);
  return found == scope_.facts->end() ? "" : found->second;
}

void StepContext::SetFact(const std::string& name, std::string value) {
  (*scope_.facts)[name] = std::move(value);
}

}  // namespace trove::taskmanager
