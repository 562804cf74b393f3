#include "tools/trovectl/commands/session.h"

#include <memory>
#include <utility>

#include "libtrove/base/log.h"
#include "libtrove/base/status_macros.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/exit_code.h"

namespace trove::trovectl {
namespace {

absl::Status Run(const std::function<absl::Status(client::Client&, const Session&)>& body,
                 const Session& session) {
  StartLogging("trovectl", LogLevel::kError);  // what goes wrong is told in words, at the end
  TROVE_ASSIGN_OR_RETURN(const client::ClientOptions options, client::OptionsFromEnvironment());
  client::Client client(options);
  return body(client, session);
}

}  // namespace

void RunWithClient(CLI::App& command,
                   int* exit_code,
                   std::function<absl::Status(client::Client&, const Session&)> body,
                   Effect effect) {
  const auto session = std::make_shared<Session>();
  const auto to_format = [](std::string& word) -> std::string {
    if (word != "table" && word != "json") return "must be table or json, not " + word;
    const OutputFormat format = word == "json" ? OutputFormat::kJson : OutputFormat::kTable;
    word = std::to_string(static_cast<int>(format));
    return "";
  };
  command.add_option("-o,--output", session->format, "table or json")
      ->transform(CLI::Validator(to_format, ""))
      ->default_str("table");
  CLI::Option* timeout =
      command
          .add_option("--timeout",
                      session->timeout_s,
                      "seconds to wait for an answer; with --wait or in a watch also for the end")
          ->check(CLI::Range(1, 86'400))
          ->capture_default_str();
  if (effect == Effect::kChanges) {
    command.add_option("--request-id",
                       session->request_id,
                       "any text: the same one within a day changes nothing twice and gets the "
                       "same answer");
  }
  command.callback([session, exit_code, timeout, body = std::move(body)] {
    session->timeout_given = timeout->count() > 0;
    const absl::Status status = Run(body, *session);
    if (!status.ok() && ExitCodeOf(status) != kInterrupted) PrintError(status);  // who did it knows
    *exit_code = ExitCodeOf(status);
  });
}

void AddCommands(CLI::App& app, int* exit_code) {
  AddInstanceCommands(app, exit_code);
  AddOperationCommands(app, exit_code);
  AddConfigurationCommands(app, exit_code);
  AddEventCommands(app, exit_code);
  AddAuditCommands(app, exit_code);
  AddConnectCommand(app, exit_code);
  AddCatalogueCommands(app, exit_code);
  AddTokenCommands(app, exit_code);
  AddRpcCommand(app, exit_code);
}

}  // namespace trove::trovectl
