#include <memory>
#include <string>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/session.h"
#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {
namespace {

struct AuditFlags {
  v1::ListAuditRecordsRequest request;
  std::size_t limit = 50;
};

absl::Status List(client::Client& client, const Session& session, const AuditFlags& flags) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<v1::AuditRecord> records,
                         client.ListAudit(session.MakeCall(), flags.request, flags.limit));
  if (session.json()) {
    PrintJsonList(records);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const v1::AuditRecord& record : records) {
    std::string outcome = record.outcome();
    if (!record.operation_state().empty()) outcome += ", " + record.operation_state();
    rows.push_back({TimeText(record.time()),
                    record.user(),
                    record.project_id(),
                    record.peer(),
                    record.action(),
                    record.resource(),
                    outcome,
                    record.message()});
  }
  PrintTable({"TIME", "USER", "PROJECT", "FROM", "ACTION", "RESOURCE", "OUTCOME", "MESSAGE"}, rows);
  return absl::OkStatus();
}

}  // namespace

void AddAuditCommands(CLI::App& app, int* exit_code) {
  CLI::App* group = app.add_subcommand("audit", "who changed what, and what came of it (admin)");
  group->require_subcommand(1);
  CLI::App* command =
      group->add_subcommand("list", "requests that change something, youngest first");
  const auto flags = std::make_shared<AuditFlags>();
  command->add_option("--project", *flags->request.mutable_project_id(), "only of this project");
  command->add_option("--user", *flags->request.mutable_user(), "only of this user");
  command->add_option(
      "--resource", *flags->request.mutable_resource(), "only on this resource, as instances/ID");
  command->add_option("--limit", flags->limit, "how many; 0: all")->capture_default_str();
  RunWithClient(*command, exit_code, [flags](client::Client& client, const Session& session) {
    return List(client, session, *flags);
  });
}

}  // namespace trove::trovectl
