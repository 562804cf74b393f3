#pragma once

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace trove::trovectl {

/// Adds `up`, `down` and `status` to `app`; the one that is called runs while the app parses and
/// sets `*exit_code`, which must outlive the app.
void AddLaunchCommands(CLI::App& app, int* exit_code);

}  // namespace trove::trovectl
