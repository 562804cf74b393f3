#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <utility>

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
  bool timeout_given = false;
  std::string request_id;  ///< empty: a new one for each change

  bool json() const { return format == OutputFormat::kJson; }

  /// For a question or a change.
  Call MakeCall() const { return CallFor(absl::Seconds(timeout_s), {}, request_id); }

  /// For waiting and watching: without a limit, but for one that was given.
  Call MakeWaitingCall(std::stop_token stop) const {
    return CallFor(timeout_given ? absl::Seconds(timeout_s) : absl::InfiniteDuration(),
                   std::move(stop));
  }
};

/// Whether a command changes something, and so takes `--request-id`.
enum class Effect { kReads, kChanges };

/// Adds `-o table|json`, `--timeout` and, to what changes something, `--request-id`; and runs
/// `body` when the command is given. Its error is printed and becomes the exit code
/// (exit_code.h). `session` lives as long as the command.
void RunWithClient(CLI::App& command,
                   int* exit_code,
                   std::function<absl::Status(client::Client&, const Session&)> body,
                   Effect effect = Effect::kReads);

}  // namespace trove::trovectl
