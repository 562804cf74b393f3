#pragma once

#include <functional>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>

#include "libtrove/base/call.h"
#include "libtrove/client/client.h"
#include "tools/trovectl/commands/output.h"

namespace trove::trovectl {

/// What every command that asks a Trove has besides its own options.
struct Session {
  OutputFormat format = OutputFormat::kTable;
  int timeout_s = 30;

  Call MakeCall() const { return CallFor(absl::Seconds(timeout_s)); }
};

/// Adds `-o table|json` and `--timeout`, and runs `body` when the command is given; its error is
/// printed and becomes the exit code 1. `session` lives as long as the command.
void RunWithClient(CLI::App& command,
                   int* exit_code,
                   std::function<absl::Status(client::Client&, const Session&)> body);

}  // namespace trove::trovectl
