#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace trove::gateway {

struct Config {
  std::string mesh_id;                    ///< 8 hex characters
  std::string mesh_ca;                    ///< file, PEM
  std::string mesh_cert;                  ///< file, PEM
  std::string mesh_key;                   ///< file, PEM
  std::vector<std::string> api;           ///< addresses of the api's mesh listeners
  int api_connections = 2;                ///< to each of them
  std::string listen = "127.0.0.1:8779";  ///< IP address:port of REST; port 0: a free one
  std::string tls_cert;                   ///< file, PEM; needed on any address but loopback
  std::string tls_key;                    ///< file, PEM
  std::string region = "RegionOne";
  std::vector<std::string> trusted_proxies;  ///< whose X-Forwarded-For is believed
  int threads = 2;                           ///< that serve HTTP
  int max_connections = 1024;                ///< more are refused
  int max_streams = 512;            ///< of them, that watch; more are told to come back later
  int request_timeout_ms = 30'000;  ///< for what happens behind the gateway
  int idle_timeout_ms = 75'000;     ///< of a connection, between requests
  std::string log_level = "info";

  std::string listen_address;  ///< of `listen`
  int listen_port = 0;         ///< of `listen`
};

/// False: there is nothing to run. Errors: kInvalidArgument names what is missing or wrong, as
/// plain HTTP on an address that others can reach.
absl::StatusOr<bool> LoadConfig(int argc, const char* const* argv, Config* config);

}  // namespace trove::gateway
