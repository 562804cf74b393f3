#include <string>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/session.h"

namespace trove::trovectl {
namespace {

absl::Status ListDatastores(client::Client& client, const Session& session) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Datastore> datastores,
                         client.ListDatastores(session.MakeCall()));
  if (session.json()) {
    PrintJsonList(datastores);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const v1::Datastore& datastore : datastores) {
    for (const v1::DatastoreVersion& version : datastore.versions()) {
      const bool preferred = version.id() == datastore.default_version_id();
      rows.push_back({datastore.name(),
                      version.name(),
                      version.version_number(),
                      version.active() ? (preferred ? "yes, default" : "yes") : "no",
                      version.id()});
    }
  }
  PrintTable({"DATASTORE", "VERSION", "NUMBER", "ACTIVE", "ID"}, rows);
  return absl::OkStatus();
}

absl::Status ListFlavors(client::Client& client, const Session& session) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Flavor> flavors,
                         client.ListFlavors(session.MakeCall()));
  if (session.json()) {
    PrintJsonList(flavors);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const v1::Flavor& flavor : flavors) {
    rows.push_back({flavor.id(),
                    flavor.name(),
                    std::to_string(flavor.ram_mib()),
                    std::to_string(flavor.vcpus())});
  }
  PrintTable({"ID", "NAME", "MEMORY MIB", "VCPUS"}, rows);
  return absl::OkStatus();
}

}  // namespace

void AddCatalogueCommands(CLI::App& app, int* exit_code) {
  CLI::App* datastore = app.add_subcommand("datastore", "databases that can be asked for");
  datastore->require_subcommand(1);
  RunWithClient(*datastore->add_subcommand("list", "datastores and their versions"),
                exit_code,
                ListDatastores);
  CLI::App* flavor = app.add_subcommand("flavor", "sizes that instances can have");
  flavor->require_subcommand(1);
  RunWithClient(*flavor->add_subcommand("list", "all flavors"), exit_code, ListFlavors);
}

}  // namespace trove::trovectl
