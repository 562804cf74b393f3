#pragma once

#include <cstdint>
#include <string>

namespace trove::mariadb {

/// What the configuration file of one server depends on.
struct ServerSettings {
  std::string data_dir;
  std::string socket;  ///< the agent's private one
  std::string pid_file;
  std::string tmp_dir;
  std::string address;  ///< for clients
  int port = 0;         ///< for clients
  std::string tls_certificate;
  std::string tls_key;
  std::string tls_authority;
  std::int64_t memory_mib = 0;  ///< of the flavor
  int vcpus = 0;                ///< of the flavor
  std::uint32_t server_id = 0;  ///< unique among servers that may replicate from each other
};

/// The text of `my.cnf`, sized by memory and processors: the buffer pool takes about half of the
/// memory, and connections are limited so that all of them together fit into the rest.
std::string ServerConfigText(const ServerSettings& settings);

/// A server id from the guest's id: the same for the same guest, never 0.
std::uint32_t ServerIdOf(const std::string& guest_id);

}  // namespace trove::mariadb
