#include <CLI/CLI.hpp>

#include "tools/trovectl/launch/commands.h"

int main(int argc, char** argv) {
  CLI::App app("Trove: databases as a service, run by yourself");
  app.require_subcommand(1);
  int exit_code = 0;
  trove::trovectl::AddLaunchCommands(app, &exit_code);
#ifdef TROVE_WITH_COMMANDS
  trove::trovectl::AddCommands(app, &exit_code);
#endif
  CLI11_PARSE(app, argc, argv);
  return exit_code;
}
