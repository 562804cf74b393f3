#pragma once

#include <CLI/CLI.hpp>

namespace trove::trovectl {

/// Adds what asks a Trove: instance, connect, datastore, flavor, token, rpc. Each command sets
/// `exit_code` (0: done; 1: refused or failed) when it has run.
void AddCommands(CLI::App& app, int* exit_code);

// The groups of AddCommands, a file each.
void AddInstanceCommands(CLI::App& app, int* exit_code);
void AddConnectCommand(CLI::App& app, int* exit_code);
void AddCatalogueCommands(CLI::App& app, int* exit_code);
void AddTokenCommands(CLI::App& app, int* exit_code);
void AddRpcCommand(CLI::App& app, int* exit_code);

}  // namespace trove::trovectl
