#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/trovectl/commands/commands.h"
#include "tools/trovectl/commands/exit_code.h"
#include "tools/trovectl/launch/commands.h"

using trove::trovectl::kBadRequest;
using trove::trovectl::kDone;

int main(int argc, char** argv) {
  CLI::App app("Trove: databases as a service, run by yourself");
  app.require_subcommand(1);
  int exit_code = 0;
  trove::trovectl::AddLaunchCommands(app, &exit_code);
  trove::trovectl::AddCommands(app, &exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // The library takes a misspelt command for a missing one.
    const std::vector<std::string> extra = app.remaining(true);
    if (extra.empty()) return app.exit(error) == 0 ? kDone : kBadRequest;
    std::fprintf(stderr,
                 "trovectl: there is no command %s here; --help lists those there are\n",
                 extra.front().c_str());
    return kBadRequest;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kBadRequest;  // --help is no failure
  }
  return exit_code;
}
