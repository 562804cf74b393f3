#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"
#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/session.h"

namespace trove::trovectl {
namespace {

struct ConnectFlags {
  std::string instance;
  std::string user;
  std::string database;
  std::vector<std::string> rest;
};

// How each engine's own client is told where to go, by the scheme of the instance's connection_uri.
absl::StatusOr<std::vector<std::string>> ClientArguments(const v1::Instance& instance,
                                                         const ConnectFlags& flags) {
  const std::string scheme =
      instance.connection_uri().substr(0, instance.connection_uri().find(':'));
  if (scheme != "mysql") {
    return absl::UnimplementedError("no client is known for " + instance.datastore_name());
  }
  const char* authority = std::getenv("TROVE_CA");
  std::vector<std::string> arguments = {
      "mariadb",
      "--no-defaults",
      "--protocol=tcp",
      "--host=" + instance.addresses(0).address(),
      "--port=" + std::to_string(instance.addresses(0).port()),
      "--ssl-ca=" + std::string(authority == nullptr ? "" : authority),
      "--ssl-verify-server-cert"};
  if (!flags.user.empty()) arguments.push_back("--user=" + flags.user);
  // Otherwise the client asks for it; a password on a command line is for everybody to see.
  if (std::getenv("MYSQL_PWD") == nullptr) arguments.emplace_back("--password");
  arguments.insert(arguments.end(), flags.rest.begin(), flags.rest.end());
  if (!flags.database.empty()) arguments.push_back(flags.database);
  return arguments;
}

absl::Status Connect(client::Client& client, const Session& session, const ConnectFlags& flags) {
  TROVE_ASSIGN_OR_RETURN(const v1::Instance instance,
                         client.FindInstance(session.MakeCall(), flags.instance));
  if (instance.addresses().empty()) {
    return absl::FailedPreconditionError("instance " + instance.name() +
                                         " has no address yet: wait until it is ACTIVE");
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<std::string> arguments,
                         ClientArguments(instance, flags));
  TROVE_ASSIGN_OR_RETURN(const std::filesystem::path program, FindProgram(arguments[0]));
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  return ErrnoStatus(errno, "start " + program.string());
}

}  // namespace

void AddConnectCommand(CLI::App& app, int* exit_code) {
  CLI::App* command =
      app.add_subcommand("connect", "open the engine's own client on an instance, over TLS");
  const auto flags = std::make_shared<ConnectFlags>();
  command->add_option("instance", flags->instance, "id, or a name that only one has")->required();
  command->add_option("--user,-u", flags->user, "user of the database (its password is asked for)");
  command->add_option("--database,-d", flags->database, "database to begin in");
  command->add_option("arguments", flags->rest, "after --: arguments for the client itself");
  RunWithClient(*command, exit_code, [flags](client::Client& client, const Session& session) {
    return Connect(client, session, *flags);
  });
}

}  // namespace trove::trovectl
