#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trove {

/// One step of a workflow, for people.
struct StepOutline {
  std::string name;                 ///< `prepare`
  std::string title;                ///< `creates databases and users`
  bool downtime = false;            ///< clients may find the database away during it
  bool point_of_no_return = false;  ///< once it is done, the operation is not cancelled any more
};

/// What an operation of one kind does, known before it is begun. The task manager's workflows have
/// exactly these steps: a test compares them.
struct WorkflowOutline {
  std::string kind;
  int version = 1;  ///< the newest: new operations begin with it
  bool cancellable = true;
  std::vector<StepOutline> steps;
};

/// Null: there is no such kind.
const WorkflowOutline* FindOutline(std::string_view kind);

/// Every kind, by name.
const std::vector<WorkflowOutline>& WorkflowOutlines();

/// What the step does, in words; its name when this release does not know it.
std::string StepTitle(std::string_view kind, std::string_view step);

}  // namespace trove
