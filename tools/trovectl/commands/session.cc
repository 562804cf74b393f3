#include "tools/trovectl/commands/session.h"

#include <memory>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "tools/trovectl/commands/commands.h"

namespace trove::trovectl {
namespace {

absl::Status Run(const std::function<absl::Status(client::Client&, const Session&)>& body,
                 const Session& session) {
  TROVE_ASSIGN_OR_RETURN(const client::ClientOptions options, client::OptionsFromEnvironment());
  client::Client client(options);
  return body(client, session);
}

}  // namespace

void RunWithClient(CLI::App& command,
                   int* exit_code,
                   std::function<absl::Status(client::Client&, const Session&)> body) {
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
  command.add_option("--timeout", session->timeout_s, "seconds to wait for answers")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  command.callback([session, exit_code, body = std::move(body)] {
    const absl::Status status = Run(body, *session);
    if (!status.ok()) PrintError(status);
    *exit_code = status.ok() ? 0 : 1;
  });
}

void AddCommands(CLI::App& app, int* exit_code) {
  AddInstanceCommands(app, exit_code);
  AddConnectCommand(app, exit_code);
  AddCatalogueCommands(app, exit_code);
  AddTokenCommands(app, exit_code);
  AddRpcCommand(app, exit_code);
}

}  // namespace trove::trovectl
