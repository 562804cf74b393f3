#include "services/api/operation_plan.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "libtrove/base/check.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/model/workflow_outline.h"
#include "services/api/times.h"

namespace trove::api {
namespace {

// Enough for a median that one slow host does not move, few enough to be of lately.
constexpr int kLookedAt = 20;

std::optional<absl::Duration> MedianOf(const StepDurations& durations, const std::string& step) {
  const auto found = durations.by_step.find(step);
  if (found == durations.by_step.end() || found->second.empty()) return std::nullopt;
  std::vector<absl::Duration> times = found->second;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

void FillQuota(const std::vector<Quota>& quotas,
               const std::vector<QuotaDelta>& effects,
               v1::OperationPlan* plan) {
  for (const Quota& quota : quotas) {
    const auto effect = std::find_if(effects.begin(), effects.end(), [&](const QuotaDelta& each) {
      return each.resource == quota.resource && each.amount != 0;
    });
    if (effect == effects.end()) continue;
    v1::OperationPlan::QuotaEffect* added = plan->add_quota();
    added->set_resource(std::string(QuotaResourceName(quota.resource)));
    added->set_change(effect->amount);
    added->set_in_use_after(
        std::max<std::int64_t>(0, quota.in_use + quota.reserved + effect->amount));
    added->set_limit(quota.limit);
  }
}

}  // namespace

absl::Status FillPlan(const Call& call,
                      Store& store,
                      const PlanSubject& subject,
                      v1::OperationPlan* plan) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<Quota> quotas,
                         store.GetQuotas(call, subject.project_id));
  TROVE_RETURN_IF_ERROR(CheckQuotas(quotas, subject.takes));
  TROVE_ASSIGN_OR_RETURN(
      const StepDurations durations,
      store.GetStepDurations(call, subject.kind, subject.datastore_id, kLookedAt));
  const WorkflowOutline* outline = FindOutline(subject.kind);
  TROVE_CHECK(outline != nullptr);
  plan->set_kind(subject.kind);
  plan->set_measured(durations.operations);
  std::optional<absl::Duration> downtime = absl::ZeroDuration();
  for (const StepOutline& step : outline->steps) {
    const std::optional<absl::Duration> expected = MedianOf(durations, step.name);
    v1::OperationPlan::Step* added = plan->add_steps();
    added->set_name(step.name);
    added->set_title(step.title);
    added->set_downtime(step.downtime);
    added->set_point_of_no_return(step.point_of_no_return);
    if (expected) SetDuration(*expected, added->mutable_expected());
    if (!step.downtime) continue;
    if (!expected) downtime.reset();
    if (downtime) *downtime += *expected;
  }
  if (downtime) SetDuration(*downtime, plan->mutable_expected_downtime());
  FillQuota(quotas, subject.effects, plan);
  for (const std::string& note : subject.notes)
    plan->add_notes(note);
  return absl::OkStatus();
}

}  // namespace trove::api
