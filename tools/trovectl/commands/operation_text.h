#pragma once

#include <string>
#include <utility>
#include <vector>

#include <absl/time/time.h>

#include "trove/v1/operation.pb.h"

namespace trove::trovectl {

/// What an operation does now, in a line: `2/6 makes the data volume`, with attempt, what it waits
/// for and the last error where there are such.
std::string ProgressText(const v1::Operation& operation);

/// How to go on with an operation that is not waited for any longer.
std::string HowToGoOn(const v1::Operation& operation);

/// Names and values for PrintFields; `now` tells how long ago things were.
std::vector<std::pair<std::string, std::string>> OperationFields(const v1::Operation& operation,
                                                                 absl::Time now);

/// Headings of StepRows.
std::vector<std::string> StepHeadings();
std::vector<std::vector<std::string>> StepRows(const v1::Operation& operation, absl::Time now);

/// Headings of PlanRows.
std::vector<std::string> PlanHeadings();
std::vector<std::vector<std::string>> PlanRows(const v1::OperationPlan& plan);

/// What is to be said of a plan besides its steps, a line each: downtime, quotas, notes.
std::vector<std::string> PlanRemarks(const v1::OperationPlan& plan);

}  // namespace trove::trovectl
