#include <memory>
#include <string>

#include <absl/time/time.h>

#include "libtrove/base/status_macros.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/session.h"
#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {

void AddTokenCommands(CLI::App& app, int* exit_code) {
  CLI::App* group = app.add_subcommand("token", "tokens of this installation");
  group->require_subcommand(1);
  CLI::App* create = group->add_subcommand("create", "make a token; it is shown this once");
  const auto request = std::make_shared<v1::CreateTokenRequest>();
  create->add_option("--project", *request->mutable_project_id(), "the project it acts for")
      ->required();
  create->add_option("--role", *request->mutable_role(), "admin, member or reader")->required();
  create->add_option("--user", *request->mutable_user(), "whom it stands for, for the record");
  create->add_option_function<int>(
      "--days",
      [request](int days) {
        request->mutable_lifetime()->set_seconds(absl::ToInt64Seconds(absl::Hours(24) * days));
      },
      "how long it lives, in days (default 365)");
  RunWithClient(
      *create,
      exit_code,
      [request](client::Client& client, const Session& session) -> absl::Status {
        request->set_request_id(session.request_id);
        TROVE_ASSIGN_OR_RETURN(const v1::CreateTokenResponse response,
                               client.CreateToken(session.MakeCall(), *request));
        if (session.json()) {
          PrintJson({&response}, false);
          return absl::OkStatus();
        }
        PrintFields({{"token", response.token()}, {"expires", TimeText(response.expires_at())}});
        return absl::OkStatus();
      },
      Effect::kChanges);
}

}  // namespace trove::trovectl
