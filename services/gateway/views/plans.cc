#include "services/gateway/views/plans.h"

namespace trove::gateway {
namespace {

double Seconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

}  // namespace

rest::v1::ShowPlanResponse PlanView(const v1::OperationPlan& plan) {
  rest::v1::ShowPlanResponse document;
  rest::v1::Plan& to = *document.mutable_plan();
  to.set_kind(plan.kind());
  for (const v1::OperationPlan::Step& step : plan.steps()) {
    rest::v1::PlanStep* added = to.add_steps();
    added->set_name(step.name());
    added->set_title(step.title());
    added->set_downtime(step.downtime());
    added->set_point_of_no_return(step.point_of_no_return());
    if (step.has_expected()) added->set_expected_seconds(Seconds(step.expected()));
  }
  if (plan.has_expected_downtime())
    to.set_expected_downtime_seconds(Seconds(plan.expected_downtime()));
  to.set_measured(plan.measured());
  for (const v1::OperationPlan::QuotaEffect& effect : plan.quota()) {
    rest::v1::PlanQuota* added = to.add_quota();
    added->set_resource(effect.resource());
    added->set_change(effect.change());
    added->set_in_use_after(effect.in_use_after());
    added->set_limit(effect.limit());
  }
  *to.mutable_notes() = plan.notes();
  return document;
}

}  // namespace trove::gateway
