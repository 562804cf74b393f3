#include "tools/trovectl/commands/operation_text.h"

#include <cstdint>

#include "libtrove/client/client.h"
#include "libtrove/model/workflow_outline.h"
#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {
namespace {

using client::HasEnded;

const std::string& TitleOf(const v1::Operation::Step& step) {
  return step.title().empty() ? step.name() : step.title();
}

const char* UnitOf(const std::string& quota) {
  return quota == "ram" ? " MiB" : quota == "volumes" ? " GiB" : "";
}

}  // namespace

std::string ProgressText(const v1::Operation& operation) {
  switch (operation.state()) {
    case v1::Operation::STATE_SUCCEEDED:
      return "done";
    case v1::Operation::STATE_FAILED:
      return "failed";
    case v1::Operation::STATE_CANCELLED:
      return "cancelled";
    default:
      break;
  }
  std::string text = operation.state() == v1::Operation::STATE_CANCELLING ? "undoing " : "";
  const int at = operation.current_step();
  if (at < operation.steps_size()) {
    const v1::Operation::Step& step = operation.steps(at);
    text += std::to_string(at + 1) + "/" + std::to_string(operation.steps_size()) + " " +
            step.name() + ": " + TitleOf(step);
    if (step.attempts() > 1) text += ", attempt " + std::to_string(step.attempts());
  } else {
    text += operation.kind();
  }
  if (!operation.reason().empty()) text += "; " + operation.reason();
  if (at < operation.steps_size() && !operation.steps(at).last_error().empty())
    text += "; last error: " + operation.steps(at).last_error();
  return text;
}

std::string HowToGoOn(const v1::Operation& operation) {
  std::string text = "Operation " + operation.id() +
                     " goes on. To watch it: trovectl operation watch " + operation.id();
  if (operation.cancellable())
    text += "\nTo cancel it: trovectl operation cancel " + operation.id();
  return text;
}

std::vector<std::pair<std::string, std::string>> OperationFields(const v1::Operation& operation,
                                                                 absl::Time now) {
  const bool ended = HasEnded(operation);
  std::string took;
  if (operation.has_finished_at())
    took = DurationText(TimeOf(operation.finished_at()) - TimeOf(operation.created_at()));
  const bool retryable = operation.state() == v1::Operation::STATE_FAILED;
  return {
      {"id", operation.id()},
      {"kind", operation.kind()},
      {"resource", operation.resource()},
      {"project", operation.project_id()},
      {"state", StateWord(operation.state())},
      {"now", ended ? "" : ProgressText(operation)},
      {"waiting since", ended ? "" : SinceText(operation.waiting_since(), now)},
      {"next look", ended ? "" : TimeText(operation.due_at())},
      {"gives up at", ended ? "" : TimeText(operation.deadline())},
      {"error", operation.error()},
      {"help", operation.help()},
      {"cancel", operation.cancel_requested() ? "asked for" : ""},
      {"to cancel", operation.cancellable() ? "trovectl operation cancel " + operation.id() : ""},
      {"to retry", retryable ? "trovectl operation retry " + operation.id() : ""},
      {"retries", operation.retries() == 0 ? "" : std::to_string(operation.retries())},
      {"asked for by", operation.requested_by()},
      {"created", TimeText(operation.created_at())},
      {"finished", TimeText(operation.finished_at())},
      {"took", took}};
}

std::vector<std::string> StepHeadings() {
  return {"STEP", "STATE", "ATTEMPTS", "TOOK", "WHAT IT DOES", "LAST ERROR"};
}

std::vector<std::vector<std::string>> StepRows(const v1::Operation& operation, absl::Time now) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::Operation::Step& step : operation.steps()) {
    std::string took;
    if (step.has_started_at()) {
      const absl::Time until = step.has_finished_at() ? TimeOf(step.finished_at()) : now;
      if (step.has_finished_at() || !HasEnded(operation))
        took = DurationText(until - TimeOf(step.started_at()));
    }
    rows.push_back({step.name(),
                    StateWord(step.state()),
                    std::to_string(step.attempts()),
                    took,
                    TitleOf(step),
                    step.last_error()});
  }
  return rows;
}

std::vector<std::string> PlanHeadings() {
  return {"STEP", "EXPECTED", "DOWNTIME", "CAN BE UNDONE", "WHAT IT DOES"};
}

std::vector<std::vector<std::string>> PlanRows(const v1::OperationPlan& plan) {
  std::vector<std::vector<std::string>> rows;
  const WorkflowOutline* outline = FindOutline(plan.kind());
  bool undone = outline == nullptr || outline->cancellable;
  for (const v1::OperationPlan::Step& step : plan.steps()) {
    if (step.point_of_no_return()) undone = false;
    rows.push_back({step.name(),
                    step.has_expected() ? DurationText(DurationOf(step.expected())) : "-",
                    step.downtime() ? "yes" : "no",
                    undone ? "yes" : "no",
                    step.title()});
  }
  return rows;
}

std::vector<std::string> PlanRemarks(const v1::OperationPlan& plan) {
  std::vector<std::string> lines;
  std::string line = "Downtime: ";
  if (!plan.has_expected_downtime()) {
    line += "not known yet";
  } else if (DurationOf(plan.expected_downtime()) == absl::ZeroDuration()) {
    line += "none";
  } else {
    line += "about " + DurationText(DurationOf(plan.expected_downtime()));
  }
  if (plan.measured() > 0)
    line += " (from the last " + std::to_string(plan.measured()) + " of its kind)";
  lines.push_back(line);
  for (const v1::OperationPlan::QuotaEffect& effect : plan.quota()) {
    const std::string unit = UnitOf(effect.resource());
    lines.push_back("Quota " + effect.resource() + ": " + (effect.change() > 0 ? "+" : "") +
                    std::to_string(effect.change()) + unit + ", then " +
                    std::to_string(effect.in_use_after()) + unit + " of " +
                    (effect.limit() < 0 ? "any number" : std::to_string(effect.limit()) + unit));
  }
  for (const std::string& note : plan.notes())
    lines.push_back("Note: " + note);
  return lines;
}

}  // namespace trove::trovectl
