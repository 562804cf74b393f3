#include "services/api/instance_reason.h"

#include <functional>
#include <string>

#include <catch2/catch.hpp>

namespace trove::api {
namespace {

const absl::Time kCreated = absl::FromUnixSeconds(1'767'600'000);
const absl::Time kChanged = kCreated + absl::Seconds(100);
const absl::Time kHeard = kCreated + absl::Seconds(200);
const absl::Time kBegun = kCreated + absl::Seconds(300);
const absl::Time kWaits = kCreated + absl::Seconds(400);

InstanceView Well() {
  InstanceView view;
  view.instance.id = InstanceId("i");
  view.instance.service = ServiceStatus::kHealthy;
  view.instance.created_at = kCreated;
  view.instance.updated_at = kChanged;
  view.instance.service_updated_at = kHeard;
  return view;
}

Operation Running(const std::string& kind, const std::string& step) {
  Operation operation;
  operation.id = OperationId("o");
  operation.kind = kind;
  operation.state = OperationState::kRunning;
  operation.created_at = kCreated;
  operation.updated_at = kChanged;
  if (!step.empty()) {
    operation.steps.push_back(
        {.name = step, .state = StepState::kRunning, .attempts = 1, .started_at = kBegun});
  }
  return operation;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("an instance that is well has no reason", "[unit][api]") {
  CHECK_FALSE(ReasonFor(Well()).has_value());
}

TEST_CASE("an instance that is not well says why", "[unit][api]") {
  using Change = std::function<void(InstanceView&)>;
  struct Row {
    const char* what;
    Change change;
    const char* step;
    const char* waiting_for;
    absl::Time since;
    const char* last_error;
    const char* help;
  };
  const Row rows[] = {
      {"a step runs",
       [](auto& v) { v.operation = Running("instance.create", "prepare"); },
       "prepare",
       "the step prepare to end, which makes the server, its databases and its users",
       kBegun,
       "",
       "cancel operation o"},
      {"a step waits",
       [](auto& v) {
         v.operation = Running("instance.create", "connect");
         v.operation->state = OperationState::kWaiting;
         v.operation->reason = "the guest agent to report";
         v.operation->waiting_since = kWaits;
         v.operation->help = "look at its log";
       },
       "connect",
       "the guest agent to report",
       kWaits,
       "",
       "look at its log"},
      {"a step is tried again",
       [](auto& v) {
         v.operation = Running("instance.create", "volume");
         v.operation->steps[0].last_error = "no space left on device";
       },
       "volume",
       "makes the data volume",
       kBegun,
       "no space left on device",
       "wait"},
      {"nobody has taken it up",
       [](auto& v) {
         v.operation = Running("instance.stop", "stop");
         v.operation->state = OperationState::kPending;
         v.operation->steps[0].started_at.reset();
       },
       "stop",
       "a task manager to take up instance.stop",
       kCreated,
       "",
       "wait"},
      {"it is queued for its host",
       [](auto& v) {
         v.operation = Running("instance.stop", "stop");
         v.operation->state = OperationState::kPending;
         v.operation->reason = "its turn on host h: 4 operations run there";
         v.operation->waiting_since = kWaits;
       },
       "stop",
       "its turn on host h",
       kWaits,
       "",
       "wait"},
      {"it is being undone",
       [](auto& v) {
         v.operation = Running("instance.resize", "configure");
         v.operation->state = OperationState::kCancelling;
         v.operation->error = "the server did not start";
       },
       "configure",
       "instance.resize has done to be undone",
       kBegun,
       "the server did not start",
       "wait"},
      {"all steps are done",
       [](auto& v) { v.operation = Running("instance.delete", ""); },
       "instance.delete",
       "instance.delete to end",
       kChanged,
       "",
       "wait"},
      {"its build failed",
       [](auto& v) {
         v.instance.task = TaskStatus::kBuildingErrorTimeoutGuest;
         v.instance.fault = Fault{"no word from the guest", "", kWaits};
       },
       "",
       "its last operation failed",
       kWaits,
       "no word from the guest",
       "retry the operation that was to build it, or delete it"},
      {"its upgrade failed, and nothing is known",
       [](auto& v) {
         v.instance.task = TaskStatus::kUpgradingError;
         v.guest_message = "crashed";
       },
       "",
       "its last operation failed",
       kChanged,
       "crashed",
       "retry the failed operation"},
      {"a group waits for a restart",
       [](auto& v) {
         v.instance.task = TaskStatus::kRestartRequired;
         v.instance.configuration_id = ConfigurationId("g");
         v.configuration_name = "tuned";
       },
       "",
       "a restart: parameters of configuration group tuned (g)",
       kChanged,
       "",
       "restart the instance"},
      {"a group that went waits for a restart",
       [](auto& v) { v.instance.task = TaskStatus::kRestartRequired; },
       "",
       "a restart: parameters of a configuration group that it used",
       kChanged,
       "",
       "restart the instance"},
      {"a task without an operation",
       [](auto& v) { v.instance.task = TaskStatus::kResizing; },
       "",
       "an operation, of which nothing is known any more",
       kChanged,
       "",
       "rebuild"},
      {"a silent guest",
       [](auto& v) { v.instance.silent_since = kWaits; },
       "",
       "a word from its guest agent",
       kWaits,
       "",
       "an operator should look at its host"},
      {"stopped",
       [](auto& v) { v.instance.service = ServiceStatus::kShutdown; },
       "",
       "to be started",
       kHeard,
       "",
       "start the instance"},
      {"crashed",
       [](auto& v) {
         v.instance.service = ServiceStatus::kCrashed;
         v.guest_message = "signal 9";
       },
       "",
       "which ended by itself",
       kHeard,
       "signal 9",
       "restart"},
      {"blocked",
       [](auto& v) { v.instance.service = ServiceStatus::kBlocked; },
       "",
       "runs and does not answer",
       kHeard,
       "",
       "volume is full"},
      {"never came up",
       [](auto& v) { v.instance.service = ServiceStatus::kFailed; },
       "",
       "never came up",
       kHeard,
       "",
       "rebuild"},
      {"unknown",
       [](auto& v) { v.instance.service = ServiceStatus::kUnknown; },
       "",
       "how its server is",
       kHeard,
       "",
       "restart"},
      {"being set up",
       [](auto& v) { v.instance.service = ServiceStatus::kBuilding; },
       "",
       "to set up its server",
       kHeard,
       "",
       "guest agent"},
      {"not answering yet",
       [](auto& v) { v.instance.service = ServiceStatus::kRunning; },
       "",
       "to answer queries",
       kHeard,
       "",
       "restart"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    InstanceView view = Well();
    row.change(view);
    const auto reason = ReasonFor(view);
    REQUIRE(reason.has_value());
    CAPTURE(reason->DebugString());
    CHECK(reason->step() == row.step);
    CHECK(Has(reason->waiting_for(), row.waiting_for));
    CHECK(absl::FromUnixSeconds(reason->since().seconds()) == row.since);
    CHECK(reason->last_error() == row.last_error);
    CHECK(Has(reason->help(), row.help));
  }
}

TEST_CASE("help says until when, and offers a cancel only where it would be accepted",
          "[unit][api]") {
  InstanceView view = Well();
  view.operation = Running("instance.stop", "stop");
  view.operation->deadline = absl::FromUnixSeconds(1'767'600'600);
  CHECK(Has(ReasonFor(view)->help(), "at 2026-01-05 08:10:00 UTC at the latest"));
  CHECK(Has(ReasonFor(view)->help(), "cancel"));
  view.operation->cancellable = false;
  CHECK_FALSE(Has(ReasonFor(view)->help(), "cancel"));
  view.operation->cancellable = true;
  view.operation->cancel_requested = true;
  CHECK_FALSE(Has(ReasonFor(view)->help(), "cancel"));
}

}  // namespace
}  // namespace trove::api
