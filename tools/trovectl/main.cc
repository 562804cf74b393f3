#include <CLI/CLI.hpp>

#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/launch/commands.h"

int main(int argc, char** argv) {
  CLI::App app("Trove: databases as a service, run by yourself");
  app.require_subcommand(1);
  int exit_code = 0;
  trove::trovectl::AddLaunchCommands(app, &exit_code);
  trove::trovectl::AddCommands(app, &exit_code);
  CLI11_PARSE(app, argc, argv);
  return exit_code;
}
