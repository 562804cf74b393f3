#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "libtrove/client/client.h"
#include "libtrove/model/errors.h"
#include "tools/trovectl/commands/assignment.h"
#include "tools/trovectl/commands/cloud_event.h"
#include "tools/trovectl/commands/exit_code.h"
#include "tools/trovectl/commands/instance_text.h"
#include "tools/trovectl/commands/operation_text.h"
#include "tools/trovectl/commands/output.h"
#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {
namespace {

constexpr std::int64_t kThen = 1'767'603'600;  // 2026-01-05 09:00:00 UTC
const absl::Time kNow = absl::FromUnixSeconds(kThen + 42);

v1::Operation Restart() {
  v1::Operation operation;
  operation.set_id("op-1");
  operation.set_kind("instance.restart");
  operation.set_resource("instances/i-1");
  operation.set_state(v1::Operation::STATE_RUNNING);
  operation.mutable_created_at()->set_seconds(kThen);
  v1::Operation::Step* restart = operation.add_steps();
  restart->set_name("restart");
  restart->set_title("restarts the server");
  restart->set_state(v1::Operation::Step::STATE_RUNNING);
  restart->set_attempts(1);
  restart->mutable_started_at()->set_seconds(kThen);
  v1::Operation::Step* finish = operation.add_steps();
  finish->set_name("finish");
  finish->set_title("hands it over");
  finish->set_state(v1::Operation::Step::STATE_PENDING);
  return operation;
}

std::string ValueOf(const std::vector<std::pair<std::string, std::string>>& fields,
                    const std::string& name) {
  for (const auto& [each, value] : fields)
    if (each == name) return value;
  return "(no such field)";
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("progress says the step, the attempt, what is waited for and the last error",
          "[unit][trovectl]") {
  v1::Operation operation = Restart();
  CHECK(ProgressText(operation) == "1/2 restart: restarts the server");
  operation.set_state(v1::Operation::STATE_WAITING);
  operation.set_reason("waits for the guest agent");
  operation.mutable_steps(0)->set_attempts(3);
  operation.mutable_steps(0)->set_last_error("no answer");
  CHECK(ProgressText(operation) ==
        "1/2 restart: restarts the server, attempt 3; waits for the guest agent; last error: no "
        "answer");
  operation.set_state(v1::Operation::STATE_CANCELLING);
  CHECK(ProgressText(operation).starts_with("undoing 1/2 restart"));
  operation.set_state(v1::Operation::STATE_SUCCEEDED);
  CHECK(ProgressText(operation) == "done");
  operation.set_state(v1::Operation::STATE_RUNNING);
  operation.set_current_step(2);
  operation.clear_reason();
  CHECK(ProgressText(operation) == "instance.restart");
}

TEST_CASE("who stops waiting is told how to go on", "[unit][trovectl]") {
  v1::Operation operation = Restart();
  CHECK(Contains(HowToGoOn(operation), "trovectl operation watch op-1"));
  CHECK_FALSE(Contains(HowToGoOn(operation), "cancel"));
  operation.set_cancellable(true);
  CHECK(Contains(HowToGoOn(operation), "trovectl operation cancel op-1"));
}

TEST_CASE("a failed operation says why, and how to begin it again", "[unit][trovectl]") {
  v1::Operation operation = Restart();
  CHECK(ValueOf(OperationFields(operation, kNow), "to retry").empty());
  operation.set_state(v1::Operation::STATE_FAILED);
  operation.set_error("the server did not start");
  operation.set_help("look at its log");
  operation.mutable_finished_at()->set_seconds(kThen + 75);
  const auto fields = OperationFields(operation, kNow);
  CHECK(ValueOf(fields, "state") == "FAILED");
  CHECK(ValueOf(fields, "error") == "the server did not start");
  CHECK(ValueOf(fields, "to retry") == "trovectl operation retry op-1");
  CHECK(ValueOf(fields, "took") == "1 min 15 s");
  CHECK(ValueOf(fields, "now").empty());
}

TEST_CASE("the steps of an operation are a table", "[unit][trovectl]") {
  const auto rows = StepRows(Restart(), kNow);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] ==
        std::vector<std::string>{"restart", "RUNNING", "1", "42 s", "restarts the server", ""});
  CHECK(rows[1] == std::vector<std::string>{"finish", "PENDING", "0", "", "hands it over", ""});
  CHECK(StepHeadings().size() == rows[0].size());
}

TEST_CASE("a plan shows steps, downtime, quotas and notes", "[unit][trovectl]") {
  v1::OperationPlan plan;
  plan.set_kind("instance.upgrade");
  v1::OperationPlan::Step* stop = plan.add_steps();
  stop->set_name("stop");
  stop->set_title("stops the server");
  stop->set_downtime(true);
  stop->mutable_expected()->set_nanos(400'000'000);
  v1::OperationPlan::Step* upgrade = plan.add_steps();
  upgrade->set_name("upgrade");
  upgrade->set_point_of_no_return(true);
  const auto rows = PlanRows(plan);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == std::vector<std::string>{"stop", "0.4 s", "yes", "yes", "stops the server"});
  CHECK(rows[1][1] == "-");
  CHECK(rows[1][3] == "no");
  plan.set_kind("instance.delete");  // which nobody can cancel
  CHECK(PlanRows(plan)[0][3] == "no");
  CHECK(PlanRemarks(plan) == std::vector<std::string>{"Downtime: not known yet"});

  plan.mutable_expected_downtime()->set_seconds(65);
  plan.set_measured(7);
  v1::OperationPlan::QuotaEffect* quota = plan.add_quota();
  quota->set_resource("ram");
  quota->set_change(-512);
  quota->set_in_use_after(1024);
  quota->set_limit(-1);
  plan.add_notes("cancels operation op-1 (instance.restart)");
  const auto remarks = PlanRemarks(plan);
  REQUIRE(remarks.size() == 3);
  CHECK(remarks[0] == "Downtime: about 1 min 5 s (from the last 7 of its kind)");
  CHECK(remarks[1] == "Quota ram: -512 MiB, then 1024 MiB of any number");
  CHECK(remarks[2] == "Note: cancels operation op-1 (instance.restart)");
  plan.mutable_expected_downtime()->Clear();
  CHECK(PlanRemarks(plan)[0].starts_with("Downtime: none"));
}

TEST_CASE("an instance that is not ACTIVE says why", "[unit][trovectl]") {
  v1::Instance instance;
  instance.set_status(v1::Instance::STATUS_BUILD);
  instance.mutable_reason()->set_step("connect");
  instance.mutable_reason()->set_waiting_for("the guest agent");
  instance.mutable_reason()->mutable_since()->set_seconds(kThen);
  instance.mutable_reason()->set_last_error("refused");
  instance.mutable_reason()->set_help("look at the guest's log");
  const auto fields = InstanceFields(instance, kNow);
  CHECK(ValueOf(fields, "status") == "BUILD");
  CHECK(ValueOf(fields, "step") == "connect");
  CHECK(ValueOf(fields, "waiting for") == "the guest agent");
  CHECK(ValueOf(fields, "since") == "2026-01-05 09:00:00 UTC (42 s ago)");
  CHECK(ValueOf(fields, "last error") == "refused");
  CHECK(ValueOf(fields, "help") == "look at the guest's log");
}

TEST_CASE("a duration is told in what people count in", "[unit][trovectl]") {
  const auto [duration, text] = GENERATE(table<absl::Duration, std::string>({
      {absl::ZeroDuration(), "0.0 s"},
      {absl::Seconds(-3), "0.0 s"},
      {absl::Milliseconds(340), "0.3 s"},
      {absl::Seconds(9.96), "10 s"},
      {absl::Seconds(59), "59 s"},
      {absl::Seconds(60), "1 min"},
      {absl::Seconds(185), "3 min 5 s"},
      {absl::Minutes(123), "2 h 3 min"},
      {absl::Hours(98), "4 d 2 h"},
  }));
  CHECK(DurationText(duration) == text);
}

TEST_CASE("a table is as wide as it needs and leaves out an empty last column",
          "[unit][trovectl]") {
  CHECK(TableText({"A", "LONG", "LAST"}, {{"éé", "x", ""}, {"b", "", ""}}) ==
        "A   LONG\néé  x\nb\n");
  CHECK(TableText({"A", "LAST"}, {{"b", "c"}}) == "A  LAST\nb  c\n");
  CHECK(TableText({"A", "LAST"}, {}) == "A  LAST\n");
}

TEST_CASE("an error tells every violation and what to do", "[unit][trovectl]") {
  const absl::Status status = MakeError(
      Reason::kConfigurationInvalid,
      "values.a: must be true or false",
      {.violations = {{"values.a", "must be true or false"}, {"values.b", "must be an integer"}},
       .retry_after = absl::Seconds(2),
       .help = "Try others."});
  CHECK(ErrorText(status) ==
        "trovectl: values.a: must be true or false\n"
        "  values.b: must be an integer\n"
        "  Try again in 2 s.\n"
        "  Try others.\n");
  CHECK(ErrorText(absl::InternalError("x")) == "trovectl: x\n");
}

TEST_CASE("scripts can tell by the exit code what went wrong", "[unit][trovectl]") {
  const auto [status, code] = GENERATE(table<absl::Status, ExitCode>({
      {absl::OkStatus(), kDone},
      {absl::InternalError(""), kFailed},
      {FieldError("name", "is empty"), kBadRequest},
      {MakeError(Reason::kInstanceNotFound, ""), kNotFound},
      {MakeError(Reason::kOperationRunning, ""), kNotNow},
      {MakeError(Reason::kNotCancellable, ""), kNotNow},
      {MakeError(Reason::kQuotaExceeded, ""), kLimit},
      {MakeError(Reason::kUnauthenticated, ""), kRefused},
      {MakeError(Reason::kAdminOnly, ""), kRefused},
      {MakeError(Reason::kUnavailable, ""), kNoAnswer},
      {MakeError(Reason::kTimedOut, ""), kNoAnswer},
      {WithExitCode(absl::AbortedError(""), kOperationFailed), kOperationFailed},
      {WithExitCode(absl::CancelledError(""), kInterrupted), kInterrupted},
  }));
  CAPTURE(status);
  CHECK(ExitCodeOf(status) == code);
}

TEST_CASE("what became of an operation is an error unless it succeeded", "[unit][trovectl]") {
  v1::Operation operation = Restart();
  operation.set_state(v1::Operation::STATE_SUCCEEDED);
  CHECK(client::OutcomeOf(operation).ok());
  operation.set_state(v1::Operation::STATE_FAILED);
  operation.set_error("no memory");
  operation.set_help("take a larger flavor");
  CHECK(MessageOf(client::OutcomeOf(operation)) ==
        "instance.restart failed: no memory; take a larger flavor");
  operation.set_state(v1::Operation::STATE_CANCELLED);
  CHECK(absl::IsCancelled(client::OutcomeOf(operation)));
}

TEST_CASE("a value of a parameter is JSON, or a text", "[unit][trovectl]") {
  const auto [text, json] = GENERATE(table<std::string, std::string>({
      {"p=300", "300"},
      {"p=0.5", "0.5"},
      {"p=true", "true"},
      {"p=\"300\"", "\"300\""},
      {"p=utf8mb4", "\"utf8mb4\""},
      {"p=ANSI,STRICT_TRANS_TABLES", "\"ANSI,STRICT_TRANS_TABLES\""},
      {"p=SET a='b=c'", "\"SET a='b=c'\""},
      {"p=", "\"\""},
      {"p=null", "\"null\""},
      {"p=[1]", "\"[1]\""},
  }));
  CAPTURE(text);
  CHECK(ParseAssignment(text).value() == std::pair<std::string, std::string>("p", json));
  CHECK(absl::IsInvalidArgument(ParseAssignment("p").status()));
  CHECK(absl::IsInvalidArgument(ParseAssignment("=3").status()));
}

TEST_CASE("an event is one line of CloudEvents JSON", "[unit][trovectl]") {
  v1::Event event;
  event.set_id("e-1");
  event.set_source("/trove/0a1b2c3d");
  event.set_type("trove.instance.created");
  event.set_subject("instances/i-1");
  event.mutable_time()->set_seconds(kThen);
  event.mutable_time()->set_nanos(5'000'000);
  event.set_project_id("p");
  event.set_resource_version(3);
  event.set_position(17);
  event.set_data(R"({"status":"BUILD"})");
  CHECK(CloudEventJson(event) ==
        R"({"specversion":"1.0","id":"e-1","source":"/trove/0a1b2c3d",)"
        R"("type":"trove.instance.created","subject":"instances/i-1",)"
        R"("time":"2026-01-05T09:00:00.005Z","datacontenttype":"application/json",)"
        R"("projectid":"p","resourceversion":"3","position":"17","data":{"status":"BUILD"}})");
  CHECK(EventLine(event) ==
        "17      2026-01-05 09:00:00 UTC  trove.instance.created      instances/i-1  "
        "{\"status\":\"BUILD\"}");
}

}  // namespace
}  // namespace trove::trovectl
