#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/session.h"

namespace trove::trovectl {
namespace {

// `STATUS_ACTIVE` → `ACTIVE`.
std::string StatusWord(const v1::Instance& instance) {
  return v1::Instance::Status_Name(instance.status()).substr(sizeof("STATUS_") - 1);
}

std::string OperatingWord(const v1::Instance& instance) {
  if (instance.operating_status() == v1::Instance::OPERATING_STATUS_UNSPECIFIED) return "";
  return v1::Instance::OperatingStatus_Name(instance.operating_status())
      .substr(sizeof("OPERATING_STATUS_") - 1);
}

std::string AddressText(const v1::Instance& instance) {
  if (instance.addresses().empty()) return "";
  return instance.addresses(0).address() + ":" + std::to_string(instance.addresses(0).port());
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime(
      "%Y-%m-%d %H:%M:%S UTC", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

std::string ReasonText(const v1::Instance& instance) {
  if (!instance.has_reason()) return "";
  const v1::Instance::Reason& reason = instance.reason();
  std::string text = reason.step();
  if (!reason.waiting_for().empty()) text += (text.empty() ? "" : ": ") + reason.waiting_for();
  if (!reason.last_error().empty()) text += "; last error: " + reason.last_error();
  if (!reason.help().empty()) text += "; " + reason.help();
  return text;
}

void PrintInstance(const v1::Instance& instance, const Session& session) {
  if (session.format == OutputFormat::kJson) {
    PrintJson({&instance}, false);
    return;
  }
  char used[64] = "";
  if (instance.volume().used_gib() > 0) {
    std::snprintf(used,
                  sizeof(used),
                  " (%.2f GiB used, %.1f %%)",
                  instance.volume().used_gib(),
                  instance.volume().used_percent());
  }
  PrintFields({{"id", instance.id()},
               {"name", instance.name()},
               {"status", StatusWord(instance)},
               {"operating status", OperatingWord(instance)},
               {"reason", ReasonText(instance)},
               {"fault", instance.fault().message()},
               {"datastore", instance.datastore_name() + " " + instance.version_name()},
               {"flavor", instance.flavor_id()},
               {"volume", std::to_string(instance.volume().size_gib()) + " GiB" + used},
               {"address", AddressText(instance)},
               {"connection uri", instance.connection_uri()},
               {"project", instance.project_id()},
               {"operation", instance.operation_id()},
               {"created", TimeText(instance.created_at())},
               {"updated", TimeText(instance.updated_at())}});
}

// Shows each change of an operation on stderr: step, elapsed time, what it waits for.
absl::Status Watch(client::Client& client,
                   const Session& session,
                   const std::string& operation_id) {
  const absl::Time began = absl::Now();
  std::string shown;
  const auto show = [&](const v1::Operation& operation) {
    std::string step =
        operation.state() == v1::Operation::STATE_SUCCEEDED ? "done" : operation.kind();
    for (const v1::Operation::Step& each : operation.steps()) {
      if (each.state() == v1::Operation::Step::STATE_RUNNING) step = each.name();
    }
    const std::string line = step + (operation.reason().empty() ? "" : ": " + operation.reason());
    if (line == shown) return;
    shown = line;
    std::fprintf(stderr, "%7.2f s  %s\n", absl::ToDoubleSeconds(absl::Now() - began), line.c_str());
  };
  TROVE_ASSIGN_OR_RETURN(const v1::Operation ended,
                         client.WatchOperation(session.MakeCall(), operation_id, show));
  if (ended.state() == v1::Operation::STATE_SUCCEEDED) return absl::OkStatus();
  return absl::AbortedError(ended.kind() + " ended " + v1::Operation::State_Name(ended.state()) +
                            ": " + ended.error() +
                            (ended.help().empty() ? "" : "; " + ended.help()));
}

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
  std::vector<std::string> databases;
  std::vector<std::string> users;
  bool watch = false;
};

absl::Status Create(client::Client& client, const Session& session, CreateFlags flags) {
  for (const std::string& name : flags.databases)
    flags.request.add_databases()->set_name(name);
  for (const std::string& text : flags.users) {
    TROVE_ASSIGN_OR_RETURN(v1::UserSpec user, ParseUser(text));
    for (const std::string& name : flags.databases)
      user.add_databases(name);
    *flags.request.add_users() = std::move(user);
  }
  TROVE_ASSIGN_OR_RETURN(v1::Instance instance,
                         client.CreateInstance(session.MakeCall(), flags.request));
  if (flags.watch) {
    const absl::Status watched = Watch(client, session, instance.operation_id());
    TROVE_ASSIGN_OR_RETURN(instance, client.GetInstance(session.MakeCall(), instance.id()));
    PrintInstance(instance, session);
    return watched;
  }
  PrintInstance(instance, session);
  return absl::OkStatus();
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
  command->add_flag("--watch", flags->watch, "wait until it is ready, and show how it gets there");
  RunWithClient(*command, exit_code, [flags](client::Client& client, const Session& session) {
    return Create(client, session, *flags);
  });
}

void AddList(CLI::App& group, int* exit_code) {
  CLI::App* command = group.add_subcommand("list", "the instances of the project");
  RunWithClient(
      *command, exit_code, [](client::Client& client, const Session& session) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const std::vector<v1::Instance> instances,
                               client.ListInstances(session.MakeCall()));
        if (session.format == OutputFormat::kJson) {
          std::vector<const google::protobuf::Message*> messages;
          for (const v1::Instance& instance : instances)
            messages.push_back(&instance);
          PrintJson(messages, true);
          return absl::OkStatus();
        }
        std::vector<std::vector<std::string>> rows;
        for (const v1::Instance& instance : instances) {
          rows.push_back({instance.id(),
                          instance.name(),
                          StatusWord(instance),
                          OperatingWord(instance),
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
  CLI::App* command = group.add_subcommand("show", "one instance");
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

using ClientMethod = absl::StatusOr<v1::Instance> (client::Client::*)(const Call&,
                                                                      const std::string&);

// A command that begins an operation on one instance.
void AddAction(CLI::App& group,
               int* exit_code,
               const std::string& name,
               const std::string& description,
               ClientMethod method) {
  CLI::App* command = group.add_subcommand(name, description);
  const auto which = std::make_shared<std::string>();
  const auto watch = std::make_shared<bool>(false);
  command->add_option("instance", *which, "id, or a name that only one has")->required();
  command->add_flag("--watch", *watch, "wait until it is done, and show how it gets there");
  RunWithClient(
      *command,
      exit_code,
      [which, watch, method](client::Client& client, const Session& session) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(const v1::Instance found,
                               client.FindInstance(session.MakeCall(), *which));
        TROVE_ASSIGN_OR_RETURN(const v1::Instance instance,
                               (client.*method)(session.MakeCall(), found.id()));
        if (*watch) return Watch(client, session, instance.operation_id());
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
  AddAction(*group,
            exit_code,
            "delete",
            "delete an instance and its data",
            &client::Client::DeleteInstance);
  AddAction(*group,
            exit_code,
            "restart",
            "restart an instance's database server",
            &client::Client::RestartInstance);
}

}  // namespace trove::trovectl
