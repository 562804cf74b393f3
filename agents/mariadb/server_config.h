#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/agent/server_settings.h"

namespace trove::mariadb {

/// What one server's configuration depends on besides its settings: where its files are.
struct ServerPlace {
  std::string data_dir;
  std::string socket;  ///< the agent's private one
  std::string pid_file;
  std::string tmp_dir;
  std::string tls_certificate;
  std::string tls_key;
  std::string tls_authority;
  std::uint32_t server_id = 0;  ///< unique among servers that may replicate from each other
};

/// What one start of a server is made from.
struct ServerConfig {
  std::string engine;                            ///< folder of the programs; empty: the system's
  std::map<std::string, std::string> variables;  ///< by name, as `my.cnf` takes them

  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

/// Sizes a server by memory and processors: the buffer pool takes about half of the memory, and
/// connections are limited so that all of them together fit into the rest. Parameters come before
/// our own choice, but never before what keeps a server safe and in its place.
/// Errors: kInvalidArgument: a parameter that is not the tenant's to set, or not one value.
absl::StatusOr<ServerConfig> MakeServerConfig(const ServerPlace& place,
                                              const agent::ServerSettings& settings);

/// A value as the server names it, from a parameter's JSON text: `true` is `ON`.
/// Errors: kInvalidArgument: not one line of text, a number or a boolean.
absl::StatusOr<std::string> VariableText(std::string_view json);

/// `my.cnf`, and back: also from one that an earlier release wrote.
std::string ServerConfigText(const ServerConfig& config);
ServerConfig ParseServerConfig(std::string_view text);

/// A server id from the guest's id: the same for the same guest, never 0.
std::uint32_t ServerIdOf(const std::string& guest_id);

}  // namespace trove::mariadb
