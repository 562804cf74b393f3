#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <absl/time/clock.h>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/exit_code.h"
#include "tools/trovectl/commands/interrupt.h"
#include "tools/trovectl/commands/operation_text.h"
#include "tools/trovectl/commands/session.h"
#include "tools/trovectl/commands/wait.h"
#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {
namespace {

constexpr char kWhich[] = "the operation's id";

void PrintOperation(const v1::Operation& operation, const Session& session) {
  if (session.json()) {
    PrintJson({&operation}, false);
    return;
  }
  const absl::Time now = absl::Now();
  PrintFields(OperationFields(operation, now));
  std::printf("\n");
  PrintTable(StepHeadings(), StepRows(operation, now));
}

struct ListFlags {
  std::string instance;
  std::vector<std::string> states;
  std::size_t limit = 50;
  v1::ListOperationsRequest request;
};

absl::StatusOr<v1::Operation::State> ParseState(std::string word) {
  std::transform(
      word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::toupper(c); });
  v1::Operation::State state = v1::Operation::STATE_UNSPECIFIED;
  if (v1::Operation::State_Parse("STATE_" + word, &state) &&
      state != v1::Operation::STATE_UNSPECIFIED)
    return state;
  return FieldError(
      "--state",
      "must be pending, running, waiting, cancelling, succeeded, failed or cancelled, not " + word);
}

absl::Status List(client::Client& client, const Session& session, ListFlags flags) {
  for (const std::string& word : flags.states) {
    TROVE_ASSIGN_OR_RETURN(const v1::Operation::State state, ParseState(word));
    flags.request.add_states(state);
  }
  if (!flags.instance.empty()) {
    const absl::StatusOr<v1::Instance> found =
        client.FindInstance(session.MakeCall(), flags.instance);
    // One that is deleted has operations still.
    if (!found.ok() && !(absl::IsNotFound(found.status()) && IsUuid(flags.instance)))
      return found.status();
    flags.request.set_instance_id(found.ok() ? found->id() : flags.instance);
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Operation> operations,
                         client.ListOperations(session.MakeCall(), flags.request, flags.limit));
  if (session.json()) {
    PrintJsonList(operations);
    return absl::OkStatus();
  }
  std::vector<std::string> headings = {"ID", "KIND", "RESOURCE", "STATE", "CREATED", "NOW"};
  const bool all_projects = flags.request.all_projects();
  if (all_projects) headings.insert(headings.begin() + 2, "PROJECT");
  std::vector<std::vector<std::string>> rows;
  for (const v1::Operation& operation : operations) {
    const bool ended = client::HasEnded(operation);
    auto& row = rows.emplace_back();
    row = {operation.id(),
           operation.kind(),
           operation.resource(),
           StateWord(operation.state()),
           TimeText(operation.created_at()),
           ended ? operation.error() : ProgressText(operation)};
    if (all_projects) row.insert(row.begin() + 2, operation.project_id());
  }
  PrintTable(headings, rows);
  return absl::OkStatus();
}

void AddList(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("list", "operations of the project, youngest first");
  const auto flags = std::make_shared<ListFlags>();
  command->add_option("--instance", flags->instance, "only on this instance, by id or name");
  command->add_option(
      "--kind", *flags->request.mutable_kind(), "only of this kind, as instance.create");
  command->add_option("--state", flags->states, "only in this state; may be repeated");
  command->add_option("--limit", flags->limit, "how many; 0: all")->capture_default_str();
  command->add_flag_callback(
      "--all-projects",
      [flags] { flags->request.set_all_projects(true); },
      "those of all projects (admin)");
  RunWithClient(*command, exit_code, [flags](client::Client& client, const Session& session) {
    return List(client, session, *flags);
  });
}

void AddShow(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("show", "one operation, its steps and why it waits");
  const auto id = std::make_shared<std::string>();
  command->add_option("operation", *id, kWhich)->required();
  RunWithClient(
      *command, exit_code, [id](client::Client& client, const Session& session) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const v1::Operation operation,
                               client.GetOperation(session.MakeCall(), *id));
        PrintOperation(operation, session);
        return absl::OkStatus();
      });
}

// Each change as a line of JSON.
absl::Status WatchAsJson(client::Client& client, const Session& session, const std::string& id) {
  const Interrupt interrupt;
  const absl::StatusOr<v1::Operation> ended = client.WatchOperation(
      session.MakeWaitingCall(interrupt.token()), id, [](const v1::Operation& operation) {
        std::printf("%s\n", JsonLine(operation).c_str());
        std::fflush(stdout);
      });
  if (interrupt.happened())
    return WithExitCode(absl::CancelledError("not watched any longer"), kInterrupted);
  return ended.ok() ? absl::OkStatus() : ended.status();
}

void AddWatch(CLI::App& group, int* exit_code) {
  CLI::App* command =
      group.add_subcommand("watch", "show each change of an operation until it has ended");
  const auto id = std::make_shared<std::string>();
  command->add_option("operation", *id, kWhich)->required();
  RunWithClient(*command, exit_code, [id](client::Client& client, const Session& session) {
    return session.json() ? WatchAsJson(client, session, *id) : WaitFor(client, session, *id);
  });
}

// Cancels or retries, and waits if that is asked for.
template <typename Request>
void AddChange(CLI::App& group,
               int* exit_code,
               const char* name,
               const char* description,
               absl::StatusOr<v1::Operation> (client::Client::*method)(const Call&, const Request&),
               bool is_cancel) {
  CLI::App* command = group.add_subcommand(name, description);
  const auto id = std::make_shared<std::string>();
  const auto wait = std::make_shared<bool>(false);
  command->add_option("operation", *id, kWhich)->required();
  command->add_flag("--wait", *wait, "wait until it has ended, and show how it gets there");
  RunWithClient(
      *command,
      exit_code,
      [id, wait, method, is_cancel](client::Client& client,
                                    const Session& session) -> absl::Status {
        Request request;
        request.set_id(*id);
        request.set_request_id(session.request_id);
        TROVE_ASSIGN_OR_RETURN(v1::Operation operation,
                               (client.*method)(session.MakeCall(), request));
        absl::Status waited;
        if (*wait) {
          waited = WaitFor(client, session, operation.id());
          if (is_cancel && ExitCodeOf(waited) == kOperationCancelled) waited = absl::OkStatus();
          if (const auto now = client.GetOperation(session.MakeCall(), *id); now.ok())
            operation = *now;
        }
        PrintOperation(operation, session);
        return waited;
      },
      Effect::kChanges);
}

}  // namespace

void AddOperationCommands(CLI::App& app, int* exit_code) {
  CLI::App* group =
      app.add_subcommand("operation", "long work: what it does, how far it is, why it waits");
  group->require_subcommand(1);
  AddList(*group, exit_code);
  AddShow(*group, exit_code);
  AddWatch(*group, exit_code);
  AddChange<v1::CancelOperationRequest>(*group,
                                        exit_code,
                                        "cancel",
                                        "stop an operation and undo what it did",
                                        &client::Client::CancelOperation,
                                        true);
  AddChange<v1::RetryOperationRequest>(*group,
                                       exit_code,
                                       "retry",
                                       "begin a failed operation again, where it failed",
                                       &client::Client::RetryOperation,
                                       false);
}

}  // namespace trove::trovectl
