#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "tools/trovectl/launch/layout.h"
#include "tools/trovectl/launch/ports.h"

namespace trove::trovectl {

/// Section → key → value of the file that all services read.
using Settings = std::map<std::string, std::map<std::string, std::string>>;

/// What the settings of a mesh on one machine depend on.
struct SettingsInput {
  Layout layout;
  std::string mesh_id;
  std::filesystem::path socket_dir;
  std::filesystem::path guest_programs;  ///< folder of trove-keeper and the agents
  std::filesystem::path manifests;
  std::string address;  ///< where clients connect: REST, gRPC and databases
  Ports ports;
  std::string tls_cert;  ///< of REST; empty: plain HTTP
  std::string tls_key;
};

Settings MakeSettings(const SettingsInput& input);

/// Applies `<section>.<key>=<value>`. Errors: kInvalidArgument: another form, or no such section.
absl::Status Override(Settings& settings, const std::string& assignment);

/// As YAML.
std::string SettingsText(const Settings& settings);

/// What a client needs to know: the lines of client.env.
struct ClientEnvironment {
  std::string rest_url;       ///< scheme, host and port
  std::string grpc_endpoint;  ///< host:port
  std::string token;
  std::string project;
  std::string ca;  ///< path of a PEM file

  friend bool operator==(const ClientEnvironment&, const ClientEnvironment&) = default;
};

/// `export NAME=value` lines for a shell.
std::string ClientEnvironmentText(const ClientEnvironment& environment);

/// Reads what ClientEnvironmentText wrote. Errors: kNotFound: there is none; kFailedPrecondition:
/// the file holds something else.
absl::StatusOr<ClientEnvironment> ReadClientEnvironment(const Layout& layout);

}  // namespace trove::trovectl
