#pragma once

#include <CLI/CLI.hpp>

namespace trove::trovectl {

/// Adds what asks a Trove: instance, operation, configuration, event, audit, connect, datastore,
/// flavor, token, rpc. Each command sets `exit_code` (exit_code.h) when it has run.
void AddCommands(CLI::App& app, int* exit_code);

// The groups of AddCommands, a file each.
void AddInstanceCommands(CLI::App& app, int* exit_code);
void AddInstanceActions(CLI::App& group, int* exit_code);
void AddInstanceEvents(CLI::App& group, int* exit_code);
void AddOperationCommands(CLI::App& app, int* exit_code);
void AddConfigurationCommands(CLI::App& app, int* exit_code);
void AddEventCommands(CLI::App& app, int* exit_code);
void AddAuditCommands(CLI::App& app, int* exit_code);
void AddConnectCommand(CLI::App& app, int* exit_code);
void AddCatalogueCommands(CLI::App& app, int* exit_code);
void AddTokenCommands(CLI::App& app, int* exit_code);
void AddRpcCommand(CLI::App& app, int* exit_code);

}  // namespace trove::trovectl
