#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "tools/trovectl/commands/assignment.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/session.h"
#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {
namespace {

std::string VersionText(const v1::Configuration& configuration) {
  return configuration.datastore_name() + " " + configuration.version_name();
}

void PrintConfiguration(const v1::Configuration& configuration, const Session& session) {
  if (session.json()) {
    PrintJson({&configuration}, false);
    return;
  }
  PrintFields({{"id", configuration.id()},
               {"name", configuration.name()},
               {"description", configuration.description()},
               {"datastore", VersionText(configuration)},
               {"project", configuration.project_id()},
               {"instances", std::to_string(configuration.instance_count())},
               {"created", TimeText(configuration.created_at())},
               {"updated", TimeText(configuration.updated_at())}});
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : configuration.values())
    rows.push_back({name, value});
  if (rows.empty()) return;
  std::sort(rows.begin(), rows.end());
  std::printf("\n");
  PrintTable({"PARAMETER", "VALUE"}, rows);
}

struct CreateFlags {
  v1::CreateConfigurationRequest request;
  std::vector<std::string> values;
};

absl::Status Create(client::Client& client, const Session& session, CreateFlags flags) {
  flags.request.set_request_id(session.request_id);
  for (const std::string& text : flags.values) {
    TROVE_ASSIGN_OR_RETURN(auto assignment, ParseAssignment(text));
    if (!flags.request.mutable_values()->insert({assignment.first, assignment.second}).second)
      return FieldError("--values", "has " + assignment.first + " twice");
  }
  TROVE_ASSIGN_OR_RETURN(const v1::Configuration made,
                         client.CreateConfiguration(session.MakeCall(), flags.request));
  PrintConfiguration(made, session);
  return absl::OkStatus();
}

void AddCreate(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("create", "make a group");
  const auto flags = std::make_shared<CreateFlags>();
  command->add_option("name", *flags->request.mutable_name(), "what to call it")->required();
  command->add_option("--values",
                      flags->values,
                      "NAME=VALUE of parameters, as max_connections=300; may be repeated");
  command->add_option("--description", *flags->request.mutable_description(), "any text");
  command->add_option(
      "--datastore", *flags->request.mutable_datastore(), "a datastore (datastore list)");
  command->add_option(
      "--datastore-version", *flags->request.mutable_datastore_version(), "a version");
  RunWithClient(
      *command,
      exit_code,
      [flags](client::Client& client, const Session& session) {
        return Create(client, session, *flags);
      },
      Effect::kChanges);
}

void AddList(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("list", "the groups of the project");
  RunWithClient(
      *command, exit_code, [](client::Client& client, const Session& session) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Configuration> configurations,
                               client.ListConfigurations(session.MakeCall()));
        if (session.json()) {
          PrintJsonList(configurations);
          return absl::OkStatus();
        }
        std::vector<std::vector<std::string>> rows;
        rows.reserve(configurations.size());
        for (const v1::Configuration& each : configurations)
          rows.push_back({each.id(), each.name(), VersionText(each), each.description()});
        PrintTable({"ID", "NAME", "DATASTORE", "DESCRIPTION"}, rows);
        return absl::OkStatus();
      });
}

constexpr char kWhich[] = "id, or a name that only one has";

void AddShow(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("show", "one group and its values");
  const auto which = std::make_shared<std::string>();
  command->add_option("configuration", *which, kWhich)->required();
  RunWithClient(
      *command, exit_code, [which](client::Client& client, const Session& session) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const v1::Configuration found,
                               client.FindConfiguration(session.MakeCall(), *which));
        PrintConfiguration(found, session);
        return absl::OkStatus();
      });
}

void AddDelete(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("delete", "delete a group that no instance uses");
  const auto which = std::make_shared<std::string>();
  command->add_option("configuration", *which, kWhich)->required();
  RunWithClient(
      *command,
      exit_code,
      [which](client::Client& client, const Session& session) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const v1::Configuration found,
                               client.FindConfiguration(session.MakeCall(), *which));
        v1::DeleteConfigurationRequest request;
        request.set_id(found.id());
        request.set_request_id(session.request_id);
        return client.DeleteConfiguration(session.MakeCall(), request);
      },
      Effect::kChanges);
}

}  // namespace

void AddConfigurationCommands(CLI::App& app, int* exit_code) {
  CLI::App* group =
      app.add_subcommand("configuration", "groups of server parameters that instances may use");
  group->alias("config")->require_subcommand(1);
  AddCreate(*group, exit_code);
  AddList(*group, exit_code);
  AddShow(*group, exit_code);
  AddDelete(*group, exit_code);
}

}  // namespace trove::trovectl
