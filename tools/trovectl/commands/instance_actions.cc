#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <absl/status/statusor.h>

#include "libtrove/base/status_macros.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/instance_text.h"
#include "tools/trovectl/commands/session.h"
#include "tools/trovectl/commands/wait.h"

namespace trove::trovectl {
namespace {

// What every command that begins an operation on one instance is asked.
struct ActionFlags {
  std::string instance;
  bool plan = false;
  bool wait = false;
};

// Begins the operation, or with --plan only says what it would be.
absl::Status Act(client::Client& client,
                 const Session& session,
                 const ActionFlags& flags,
                 const std::function<absl::StatusOr<v1::Instance>(const std::string& id)>& begin) {
  TROVE_ASSIGN_OR_RETURN(const v1::Instance found,
                         client.FindInstance(session.MakeCall(), flags.instance));
  TROVE_ASSIGN_OR_RETURN(v1::Instance instance, begin(found.id()));
  if (flags.plan) {
    PrintPlan(instance, session);
    return absl::OkStatus();
  }
  if (instance.operation_id().empty()) {
    std::fprintf(stderr, "There was nothing to do.\n");
  } else if (flags.wait) {
    TROVE_RETURN_IF_ERROR(WaitFor(client, session, instance.operation_id()));
    const absl::StatusOr<v1::Instance> now = client.GetInstance(session.MakeCall(), found.id());
    if (absl::IsNotFound(now.status())) return absl::OkStatus();  // deleted, as was asked
    TROVE_RETURN_IF_ERROR(now.status());
    instance = *now;
  }
  PrintInstance(instance, session);
  return absl::OkStatus();
}

// A command with a request of its own, of which more than the instance may have to be said.
template <typename Request>
struct Action {
  using Method = absl::StatusOr<v1::Instance> (client::Client::*)(const Call&, const Request&);

  const char* name;
  const char* description;
  Method method;
  std::function<void(CLI::App&, Request*)> add_options = {};
  std::function<absl::Status(client::Client&, const Session&, Request*)> complete = {};
};

template <typename Request>
void Add(CLI::App& group, int* exit_code, Action<Request> action) {
  CLI::App* command = group.add_subcommand(action.name, action.description);
  const auto flags = std::make_shared<ActionFlags>();
  const auto request = std::make_shared<Request>();
  command->add_option("instance", flags->instance, "id, or a name that only one has")->required();
  if (action.add_options) action.add_options(*command, request.get());
  command->add_flag(
      "--wait,--watch", flags->wait, "wait until it is done, and show how it gets there");
  command->add_flag("--plan", flags->plan, "only say what would be done");
  RunWithClient(
      *command,
      exit_code,
      [flags, request, action = std::move(action)](client::Client& client, const Session& session) {
        return Act(
            client, session, *flags, [&](const std::string& id) -> absl::StatusOr<v1::Instance> {
              request->set_id(id);
              request->set_request_id(session.request_id);
              request->set_validate_only(flags->plan);
              if (action.complete)
                TROVE_RETURN_IF_ERROR(action.complete(client, session, request.get()));
              return (client.*action.method)(session.MakeCall(), *request);
            });
      },
      Effect::kChanges);
}

absl::Status CompleteAttach(client::Client& client,
                            const Session& session,
                            v1::AttachConfigurationRequest* request) {
  TROVE_ASSIGN_OR_RETURN(const v1::Configuration configuration,
                         client.FindConfiguration(session.MakeCall(), request->configuration_id()));
  request->set_configuration_id(configuration.id());
  return absl::OkStatus();
}

}  // namespace

void AddInstanceActions(CLI::App& group, int* exit_code) {
  using client::Client;
  Add<v1::DeleteInstanceRequest>(
      group,
      exit_code,
      {"delete", "delete an instance and its data, whatever runs on it", &Client::DeleteInstance});
  Add<v1::RestartInstanceRequest>(
      group,
      exit_code,
      {"restart", "restart an instance's database server", &Client::RestartInstance});
  Add<v1::StopInstanceRequest>(group,
                               exit_code,
                               {"stop",
                                "stop the database server; it stays stopped, also after a reboot",
                                &Client::StopInstance});
  Add<v1::StartInstanceRequest>(
      group,
      exit_code,
      {"start", "start a database server that was stopped", &Client::StartInstance});
  Add<v1::ResizeInstanceRequest>(
      group,
      exit_code,
      {"resize",
       "give an instance another flavor; its server restarts",
       &Client::ResizeInstance,
       [](CLI::App& command, v1::ResizeInstanceRequest* request) {
         command.add_option("--flavor", *request->mutable_flavor_id(), "the flavor (flavor list)")
             ->required();
       }});
  Add<v1::GrowVolumeRequest>(
      group,
      exit_code,
      {"grow",
       "make an instance's volume larger, while its server runs",
       &Client::GrowVolume,
       [](CLI::App& command, v1::GrowVolumeRequest* request) {
         command
             .add_option_function<int>(
                 "--size", [request](int size) { request->set_size_gib(size); }, "in GiB")
             ->required();
       }});
  Add<v1::AttachConfigurationRequest>(
      group,
      exit_code,
      {"attach",
       "have an instance use a configuration group",
       &Client::AttachConfiguration,
       [](CLI::App& command, v1::AttachConfigurationRequest* request) {
         command
             .add_option("--configuration",
                         *request->mutable_configuration_id(),
                         "the group (configuration list), by id or name")
             ->required();
       },
       CompleteAttach});
  Add<v1::DetachConfigurationRequest>(
      group,
      exit_code,
      {"detach", "have an instance use no configuration group", &Client::DetachConfiguration});
  Add<v1::UpgradeInstanceRequest>(
      group,
      exit_code,
      {"upgrade",
       "move an instance to another version of its datastore, or back when that fails",
       &Client::UpgradeInstance,
       [](CLI::App& command, v1::UpgradeInstanceRequest* request) {
         command
             .add_option("--version",
                         *request->mutable_datastore_version(),
                         "the version (datastore list), by id or name")
             ->required();
         command.add_option("--number",
                            *request->mutable_datastore_version_number(),
                            "its number, when several have the same name");
       }});
  Add<v1::RebuildInstanceRequest>(group,
                                  exit_code,
                                  {"rebuild",
                                   "make everything of an instance anew but its data (admin)",
                                   &Client::RebuildInstance});
}

}  // namespace trove::trovectl
