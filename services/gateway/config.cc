#include "services/gateway/config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstddef>
#include <string_view>
#include <utility>

#include "libtrove/base/config.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/spiffe.h"
#include "services/gateway/client_address.h"

namespace trove::gateway {
namespace {

// Splits "127.0.0.1:8779" or "[::1]:8779".
absl::Status SplitListen(Config* config) {
  const absl::Status malformed = absl::InvalidArgumentError(
      "listen must be an IP address and a port, as 127.0.0.1:8779, not " + config->listen);
  const std::size_t colon = config->listen.rfind(':');
  if (colon == std::string::npos) return malformed;
  config->listen_address = config->listen.substr(0, colon);
  if (config->listen_address.size() > 2 && config->listen_address.front() == '[' &&
      config->listen_address.back() == ']') {
    config->listen_address = config->listen_address.substr(1, config->listen_address.size() - 2);
  }
  const std::string_view port = std::string_view(config->listen).substr(colon + 1);
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), config->listen_port);
  const bool whole = error == std::errc() && end == port.data() + port.size() && !port.empty();
  if (!whole || config->listen_port < 0 || config->listen_port > 65535) return malformed;
  return absl::OkStatus();
}

bool IsLoopback(const std::string& address) {
  in_addr v4{};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, address.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::Status CheckRange(const char* key, int value, int least, int most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(std::string(key) + " must be " + std::to_string(least) +
                                    " to " + std::to_string(most));
}

absl::Status Check(Config* config) {
  const std::pair<const char*, bool> needed[] = {{"mesh_id", !config->mesh_id.empty()},
                                                 {"mesh_ca", !config->mesh_ca.empty()},
                                                 {"mesh_cert", !config->mesh_cert.empty()},
                                                 {"mesh_key", !config->mesh_key.empty()},
                                                 {"api", !config->api.empty()}};
  for (const auto& [key, given] : needed) {
    if (!given) return absl::InvalidArgumentError(std::string(key) + " is missing");
  }
  if (!identity::IsMeshId(config->mesh_id))
    return absl::InvalidArgumentError("mesh_id must be 8 lower-case hex characters");
  TROVE_RETURN_IF_ERROR(SplitListen(config));
  if (config->tls_cert.empty() != config->tls_key.empty())
    return absl::InvalidArgumentError("tls_cert and tls_key go together");
  if (config->tls_cert.empty() && !IsLoopback(config->listen_address)) {
    return absl::InvalidArgumentError("listen is " + config->listen +
                                      ", which is not loopback: give tls_cert and tls_key");
  }
  TROVE_RETURN_IF_ERROR(CheckRange("api_connections", config->api_connections, 1, 64));
  TROVE_RETURN_IF_ERROR(CheckRange("threads", config->threads, 1, 64));
  TROVE_RETURN_IF_ERROR(CheckRange("max_connections", config->max_connections, 1, 1'000'000));
  TROVE_RETURN_IF_ERROR(CheckRange("max_streams", config->max_streams, 0, 1'000'000));
  TROVE_RETURN_IF_ERROR(TrustedProxies::Parse(config->trusted_proxies).status());
  TROVE_RETURN_IF_ERROR(CheckRange("request_timeout_ms", config->request_timeout_ms, 1, 600'000));
  return CheckRange("idle_timeout_ms", config->idle_timeout_ms, 1, 3'600'000);
}

}  // namespace

absl::StatusOr<bool> LoadConfig(int argc, const char* const* argv, Config* config) {
  ConfigLoader loader("gateway", "Trove's REST API in front of the gRPC API");
  loader.Add("mesh_id", &config->mesh_id, "id of the mesh, 8 hex characters");
  loader.Add("mesh_ca", &config->mesh_ca, "file with the mesh's authority, PEM");
  loader.Add("mesh_cert", &config->mesh_cert, "file with this service's certificate, PEM");
  loader.Add("mesh_key", &config->mesh_key, "file with this service's private key, PEM");
  loader.Add("api", &config->api, "host:port of the api's mesh listeners");
  loader.Add("api_connections", &config->api_connections, "connections to each of them");
  loader.Add("listen", &config->listen, "IP address:port for REST; port 0: a free one");
  loader.Add("tls_cert", &config->tls_cert, "PEM file: REST is TLS with this certificate");
  loader.Add("tls_key", &config->tls_key, "PEM file: its key");
  loader.Add("region", &config->region, "the region that instances are in");
  loader.Add("threads", &config->threads, "threads that serve HTTP");
  loader.Add("max_connections", &config->max_connections, "more are told to come back later");
  loader.Add("max_streams", &config->max_streams, "that watch; more are told to come back later");
  loader.Add("trusted_proxies",
             &config->trusted_proxies,
             "IP addresses and networks of proxies whose X-Forwarded-For is believed");
  loader.Add("request_timeout_ms", &config->request_timeout_ms, "for what is behind the gateway");
  loader.Add("idle_timeout_ms", &config->idle_timeout_ms, "of a connection between requests");
  loader.Add("log_level", &config->log_level, "debug, info, warning or error");
  TROVE_ASSIGN_OR_RETURN(const bool run, loader.Load(argc, argv));
  if (!run) return false;
  TROVE_RETURN_IF_ERROR(Check(config));
  return true;
}

}  // namespace trove::gateway
