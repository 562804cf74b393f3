#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/model/workflow_outline.h"
#include "services/taskmanager/workflows/workflows.h"
#include "test/support/memory_bus.h"
#include "test/support/noop_provisioner.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

identity::JobSigner NewSigner() {
  auto key = identity::PrivateKey::Generate(identity::KeyKind::kEd25519);
  TROVE_CHECK(key.ok());
  return identity::JobSigner::Make(*std::move(key)).value();
}

struct Shipped {
  MemoryBus bus;
  NoopProvisioner provisioner;
  Jobs jobs{bus, NewSigner()};
  Workflows workflows =
      InstanceWorkflows({provisioner, jobs, identity::MasterKey::Generate(), MeshAccess()});
};

// `instance.create 1: place volume …`
std::string LineOf(const Workflow& workflow) {
  std::string line = workflow.kind + " " + std::to_string(workflow.version) + ":";
  for (const Step& step : workflow.steps)
    line += " " + step.name + (step.point_of_no_return ? "!" : "");
  return line;
}

// An operation in some store may have been begun with any list that a release has shipped, and has
// to find the same list when it goes on.
TEST_CASE("no list of steps that was shipped has changed", "[unit][taskmanager]") {
  const Shipped shipped;
  std::ifstream file(SHIPPED_WORKFLOWS);
  std::vector<std::string> golden;
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line[0] != '#') golden.push_back(line);
  REQUIRE_FALSE(golden.empty());
  std::vector<std::string> now;
  for (const Workflow* workflow : shipped.workflows.All())
    now.push_back(LineOf(*workflow));
  for (const std::string& line : golden) {
    INFO("A workflow was shipped as `"
         << line << "` and is not the same now. Operations begun with it would be lost: keep that "
         << "list as it is, and add the changed one as a new version beside it.");
    CHECK(std::find(now.begin(), now.end(), line) != now.end());
  }
  for (const std::string& line : now) {
    INFO("A new list of steps, or a new version of one: add the line `"
         << line << "` to " << SHIPPED_WORKFLOWS << ", and histories of it beside that file.");
    CHECK(std::find(golden.begin(), golden.end(), line) != golden.end());
  }
}

TEST_CASE("every workflow is as its outline tells people", "[unit][taskmanager]") {
  const Shipped shipped;
  std::size_t kinds = 0;
  for (const Workflow* workflow : shipped.workflows.All()) {
    if (workflow != shipped.workflows.Newest(workflow->kind)) continue;
    ++kinds;
    CAPTURE(workflow->kind);
    const WorkflowOutline* outline = FindOutline(workflow->kind);
    REQUIRE(outline != nullptr);
    CHECK(workflow->version == outline->version);
    CHECK(workflow->cancellable == outline->cancellable);
    std::vector<std::pair<std::string, bool>> steps;
    std::vector<std::pair<std::string, bool>> told;
    for (const Step& step : workflow->steps)
      steps.emplace_back(step.name, step.point_of_no_return);
    for (const StepOutline& step : outline->steps)
      told.emplace_back(step.name, step.point_of_no_return);
    CHECK(steps == told);
  }
  CHECK(kinds == WorkflowOutlines().size());
}

TEST_CASE("every workflow ends within its bounds", "[unit][taskmanager]") {
  const Shipped shipped;
  for (const Workflow* workflow : shipped.workflows.All()) {
    CAPTURE(workflow->kind);
    CHECK(workflow->deadline < absl::Hours(48));
    CHECK_FALSE(workflow->help.empty());
    for (const Step& step : workflow->steps) {
      CAPTURE(step.name);
      CHECK(step.limit < absl::Hours(48));
      CHECK(step.run_limit <= absl::Minutes(10));
      CHECK(step.undo_limit < absl::Hours(48));
      CHECK(step.attempts > 0);
    }
    if (workflow->cancellable) CHECK(workflow->on_cancelled != nullptr);
  }
}

}  // namespace
}  // namespace trove::taskmanager
