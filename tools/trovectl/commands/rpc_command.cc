#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/session.h"

namespace trove::trovectl {

void AddRpcCommand(CLI::App& app, int* exit_code) {
  CLI::App* command = app.add_subcommand(
      "rpc", "call any method of the gRPC API in JSON, as the server describes it by reflection");
  const auto method = std::make_shared<std::string>();
  const auto json = std::make_shared<std::string>("{}");
  command->add_option("method", *method, "package.Service/Method; without it: the services");
  command->add_option("json", *json, "the request")->capture_default_str();
  RunWithClient(*command,
                exit_code,
                [method, json](client::Client& client, const Session& session) -> absl::Status {
                  std::vector<std::string> lines;
                  if (method->empty()) {
                    TROVE_ASSIGN_OR_RETURN(lines, client.ListServices(session.MakeCall()));
                  } else {
                    TROVE_ASSIGN_OR_RETURN(lines,
                                           client.CallJson(session.MakeCall(), *method, *json));
                  }
                  for (const std::string& line : lines)
                    std::printf("%s\n", line.c_str());
                  return absl::OkStatus();
                });
}

}  // namespace trove::trovectl
