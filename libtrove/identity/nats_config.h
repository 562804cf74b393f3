#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace trove::identity {

/// How to run a nats-server (2.9 or newer) for a mesh: operator mode over TLS with JetStream.
/// Clients check the server's certificate and prove themselves by JWT and NKey.
struct NatsServerConfig {
  std::string server_name;
  std::string host = "127.0.0.1";
  int port = 4222;    ///< -1: a free one, which the server writes into `ports_directory`
  int http_port = 0;  ///< monitoring, on the loopback address alone, without TLS; 0: none; -1: free
  std::string operator_jwt;
  std::string system_account;                   ///< public key
  std::map<std::string, std::string> accounts;  ///< public key → account JWT, the system's too
  std::filesystem::path accounts_directory;     ///< kept by the server; updates survive restarts
  std::filesystem::path jetstream_directory;
  std::filesystem::path certificate_file;  ///< PEM, good as server
  std::filesystem::path key_file;
  std::filesystem::path authority_file;   ///< of the mesh
  std::filesystem::path ports_directory;  ///< empty: no ports file
  std::filesystem::path pid_file;         ///< empty: none
};

/// The largest message of the bus, in bytes.
inline constexpr int kNatsMaxPayloadBytes = 1 << 20;

/// The text of the configuration file. It holds no secret.
std::string NatsServerConfigText(const NatsServerConfig& config);

}  // namespace trove::identity
