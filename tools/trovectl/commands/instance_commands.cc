#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/instance_text.h"
#include "tools/trovectl/commands/session.h"
#include "tools/trovectl/commands/wait.h"
#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {
namespace {

// Asks on the terminal, without showing what is typed.
absl::StatusOr<std::string> AskPassword(const std::string& user) {
  const char* typed = ::getpass(("Password of the new user " + user + ": ").c_str());
  if (typed == nullptr || *typed == '\0') {
    return FieldError("--user", "a password is needed: type it, or give NAME:PASSWORD");
  }
  return std::string(typed);
}

// `name`, whose password is asked for, or `name:password`; the password may hold colons.
absl::StatusOr<v1::UserSpec> ParseUser(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || text.empty()) return FieldError("--user", "must be NAME or NAME:PASSWORD");
  v1::UserSpec user;
  user.set_name(text.substr(0, colon));
  if (colon == std::string::npos) {
    TROVE_ASSIGN_OR_RETURN(*user.mutable_password(), AskPassword(user.name()));
  } else {
    user.set_password(text.substr(colon + 1));
  }
  return user;
}

struct CreateFlags {
  v1::CreateInstanceRequest request;
  std::string configuration;
  std::vector<std::string> databases;
  std::vector<std::string> users;
  bool plan = false;
  bool wait = false;
};

absl::Status Create(client::Client& client, const Session& session, CreateFlags flags) {
  flags.request.set_request_id(session.request_id);
  flags.request.set_validate_only(flags.plan);
  for (const std::string& name : flags.databases)
    flags.request.add_databases()->set_name(name);
  for (const std::string& text : flags.users) {
    TROVE_ASSIGN_OR_RETURN(v1::UserSpec user, ParseUser(text));
    for (const std::string& name : flags.databases)
      user.add_databases(name);
    *flags.request.add_users() = std::move(user);
  }
  if (!flags.configuration.empty()) {
    TROVE_ASSIGN_OR_RETURN(const v1::Configuration configuration,
                           client.FindConfiguration(session.MakeCall(), flags.configuration));
    flags.request.set_configuration_id(configuration.id());
  }
  TROVE_ASSIGN_OR_RETURN(v1::Instance instance,
                         client.CreateInstance(session.MakeCall(), flags.request));
  if (flags.plan) {
    PrintPlan(instance, session);
    return absl::OkStatus();
  }
  if (!flags.wait) {
    PrintInstance(instance, session);
    return absl::OkStatus();
  }
  const absl::Status waited = WaitFor(client, session, instance.operation_id());
  if (const auto now = client.GetInstance(session.MakeCall(), instance.id()); now.ok())
    instance = *now;
  PrintInstance(instance, session);
  return waited;
}

void AddCreate(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("create", "ask for a new instance");
  const auto flags = std::make_shared<CreateFlags>();
  command->add_option("name", *flags->request.mutable_name(), "what to call it")->required();
  command->add_option("--flavor", *flags->request.mutable_flavor_id(), "its flavor (flavor list)")
      ->required();
  command
      ->add_option_function<int>(
          "--size",
          [flags](int size) { flags->request.set_volume_size_gib(size); },
          "its volume, in GiB")
      ->required();
  command->add_option(
      "--datastore", *flags->request.mutable_datastore(), "a datastore (datastore list)");
  command->add_option(
      "--datastore-version", *flags->request.mutable_datastore_version(), "a version");
  command->add_option("--database", flags->databases, "a database to create; may be repeated");
  command->add_option(
      "--user",
      flags->users,
      "NAME (its password is asked for) or NAME:PASSWORD of a user with all rights on those");
  command->add_option("--configuration",
                      flags->configuration,
                      "a configuration group (configuration list), by id or name");
  command->add_flag(
      "--wait,--watch", flags->wait, "wait until it is ready, and show how it gets there");
  command->add_flag("--plan", flags->plan, "only say what would be done");
  RunWithClient(
      *command,
      exit_code,
      [flags](client::Client& client, const Session& session) {
        return Create(client, session, *flags);
      },
      Effect::kChanges);
}

void AddList(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("list", "the instances of the project");
  RunWithClient(
      *command, exit_code, [](client::Client& client, const Session& session) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Instance> instances,
                               client.ListInstances(session.MakeCall()));
        if (session.json()) {
          PrintJsonList(instances);
          return absl::OkStatus();
        }
        std::vector<std::vector<std::string>> rows;
        rows.reserve(instances.size());
        for (const v1::Instance& instance : instances) {
          rows.push_back({instance.id(),
                          instance.name(),
                          StatusWord(instance.status()),
                          OperatingWord(instance.operating_status()),
                          instance.datastore_name() + " " + instance.version_name(),
                          instance.flavor_id(),
                          std::to_string(instance.volume().size_gib()),
                          AddressText(instance)});
        }
        PrintTable({"ID", "NAME", "STATUS", "SERVER", "DATASTORE", "FLAVOR", "GIB", "ADDRESS"},
                   rows);
        return absl::OkStatus();
      });
}

void AddShow(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("show", "one instance, and why it is not ACTIVE");
  const auto which = std::make_shared<std::string>();
  command->add_option("instance", *which, "id, or a name that only one has")->required();
  RunWithClient(
      *command, exit_code, [which](client::Client& client, const Session& session) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const v1::Instance instance,
                               client.FindInstance(session.MakeCall(), *which));
        PrintInstance(instance, session);
        return absl::OkStatus();
      });
}

}  // namespace

void AddInstanceCommands(CLI::App& app, int* exit_code) {
  CLI::App* group = app.add_subcommand("instance", "database instances")->require_subcommand(1);
  AddCreate(*group, exit_code);
  AddList(*group, exit_code);
  AddShow(*group, exit_code);
  AddInstanceActions(*group, exit_code);
  AddInstanceEvents(*group, exit_code);
}

}  // namespace trove::trovectl
