#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "trove/mesh/v1/bus.pb.h"

namespace trove::agent {

/// How a database server is meant to be. Always whole: what is not in it is at its default.
struct ServerSettings {
  std::int64_t memory_mib = 0;  ///< that the server is tuned for
  int vcpus = 0;                ///< that the server is tuned for
  std::string address;          ///< to listen on for clients
  int port = 0;                 ///< to listen on for clients
  std::string engine;           ///< folder of the server's programs; empty: the system's
  std::string version_number;   ///< of the datastore version, as `10.11`
  int volume_size_gib = 0;
  std::map<std::string, std::string> parameters;  ///< each as the JSON text of its value

  friend bool operator==(const ServerSettings&, const ServerSettings&) = default;
};

ServerSettings FromMessage(const mesh::v1::ServerSettings& message);
mesh::v1::ServerSettings ToMessage(const ServerSettings& settings);

/// What a parameter's JSON text stands for: the text of a string, a number as it is written, `true`
/// or `false`. Errors: kInvalidArgument: none of these.
absl::StatusOr<std::string> ParameterText(std::string_view json);

/// Compares version numbers part by part, as numbers: `10.11` is more than `10.6`, and as much as
/// `10.11.6`, since only the parts that both have count.
std::strong_ordering CompareVersions(std::string_view a, std::string_view b);

}  // namespace trove::agent
